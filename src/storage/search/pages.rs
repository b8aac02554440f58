//! Pages that are found at once, of searches that come together and are alike but for their
//! values: one statement for several of them.

use crate::error::Result;
use crate::storage::failure::of_sqlx;
use crate::storage::gather::{Batch, PATIENCE};
use crate::storage::pool::Pool;
use crate::storage::read::fetch_all;
use crate::storage::statement::Statement;
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::time::Duration;

/// Runs statements that were composed apart.
pub struct Pages {
    pub(in crate::storage) pool: Pool,
}

impl Batch for Pages {
    type Item = Statement;
    type Answer = Vec<PgRow>;

    const IS_GIVEN_UP: bool = true;
    const PATIENCE: Option<Duration> = Some(PATIENCE);

    fn is_alike(one: &Statement, other: &Statement) -> bool {
        one.is_like(other)
    }

    /// In statements of 8, 4, 2 and 1: of other numbers the database would have to know more of
    /// them. Where one fails each of its pages is asked for alone, as what is wrong with one is
    /// not wrong with another.
    async fn run(&self, mut items: Vec<Statement>) -> Vec<Result<Vec<PgRow>>> {
        let mut answers = Vec::with_capacity(items.len());
        while let Some(power) = items.len().checked_ilog2() {
            let rest = items.split_off(1 << power);
            match self.together(&items).await {
                Ok(pages) => answers.extend(pages.into_iter().map(Ok)),
                Err(error) if items.len() == 1 => answers.push(Err(error)),
                Err(_) => {
                    for item in &items {
                        let alone = self.together(std::slice::from_ref(item)).await;
                        answers.push(alone.map(|pages| pages.into_iter().flatten().collect()));
                    }
                }
            }
            items = rest;
        }
        answers
    }
}

impl Pages {
    async fn together(&self, items: &[Statement]) -> Result<Vec<Vec<PgRow>>> {
        let mut connection = self.pool.acquire().await.map_err(of_sqlx)?;
        let statement = Statement::gathered(items).map_err(of_sqlx)?;
        let rows = fetch_all(&mut connection, statement).await?;
        connection.release();
        if items.len() == 1 {
            return Ok(vec![rows]);
        }
        let mut pages: Vec<Vec<PgRow>> = items.iter().map(|_| Vec::new()).collect();
        for row in rows {
            let place: i32 = row.try_get(0).map_err(of_sqlx)?;
            if let Some(page) = pages.get_mut(place as usize) {
                page.push(row);
            }
        }
        Ok(pages)
    }
}
