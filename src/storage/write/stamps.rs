//! The access stamps of rows, for the guards of writes.

use crate::access::guard::Stamps;
use crate::error::Result;
use crate::storage::failure::of_sqlx;
use crate::storage::store::{Connection, Store};
use std::collections::HashMap;

impl Store {
    /// Owner and author of these rows.
    pub async fn stamps(
        &self,
        connection: &mut Connection,
        rids: &[i64],
    ) -> Result<HashMap<i64, Stamps>> {
        let rows: Vec<(i64, Option<i64>, Option<i64>)> =
            sqlx::query_as(include_str!("../sql/stamps_read.sql"))
                .bind(rids)
                .fetch_all(connection)
                .await
                .map_err(of_sqlx)?;
        let of = |(rid, owner, author)| (rid, Stamps { owner, author });
        Ok(rows.into_iter().map(of).collect())
    }
}
