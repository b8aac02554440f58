//! A statement composed of fixed text and binds; nothing of a request ever becomes text.

mod apart;
pub mod row_filter;
mod witness;

use apart::Apart;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, Encode, Postgres, Type};

/// SQL text with `$1`, `$2`, ... and the values bound to them.
#[derive(Default)]
pub struct Statement {
    text: String,
    values: Values,
    bound: usize,
    failure: Option<BoxDynError>,
}

/// What is bound.
enum Values {
    Together(PgArguments),
    /// Each on its own, so that statements of one text can become one statement.
    Apart(Apart),
}

impl Default for Values {
    fn default() -> Self {
        Values::Together(PgArguments::default())
    }
}

impl Statement {
    pub fn new(text: &'static str) -> Self {
        let mut statement = Statement::default();
        statement.push(text);
        statement
    }

    /// A statement that [`Statement::gathered`] takes.
    pub fn apart() -> Self {
        Statement { values: Values::Apart(Apart::default()), ..Statement::default() }
    }

    /// Makes room for values of so many bytes.
    pub fn reserve(&mut self, bytes: usize) {
        if let Values::Together(arguments) = &mut self.values {
            arguments.reserve(0, bytes);
        }
    }

    /// Appends text of the program, never of a request.
    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a limit as it is: the plan of a statement for all values has to know it.
    pub fn push_limit(&mut self, rows: i64) -> &mut Self {
        self.text.push_str(" limit ");
        self.text.push_str(&rows.to_string());
        self
    }

    /// Appends a number of the program, such as that of a resource type: what is the same for
    /// all requests is known to a plan for all values.
    pub fn push_number(&mut self, number: i16) -> &mut Self {
        self.text.push_str(&number.to_string());
        self
    }

    /// Appends the next placeholder and binds the value to it.
    pub fn bind<'q, T>(&mut self, value: T) -> &mut Self
    where
        T: Encode<'q, Postgres> + Type<Postgres>,
    {
        let added = match &mut self.values {
            Values::Together(arguments) => arguments.add(value),
            Values::Apart(apart) => apart.add(value, self.text.len()),
        };
        if let Err(error) = added {
            self.failure.get_or_insert(error);
        }
        self.bound += 1;
        self.text.push('$');
        self.text.push_str(&self.bound.to_string());
        self
    }

    /// The finished text and its arguments.
    pub fn into_parts(self) -> Result<(String, PgArguments), sqlx::Error> {
        if let Some(error) = self.failure {
            return Err(sqlx::Error::Encode(error));
        }
        let arguments = match self.values {
            Values::Together(arguments) => arguments,
            Values::Apart(apart) => {
                let mut arguments = PgArguments::default();
                apart.add_to(&mut arguments).map_err(sqlx::Error::Encode)?;
                arguments
            }
        };
        Ok((self.text, arguments))
    }

    #[cfg(test)]
    pub fn text(&self) -> &str {
        &self.text
    }
}
