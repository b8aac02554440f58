//! Statements of one text with values of their own, as one statement: each runs for a row of
//! `values`, and a round trip, a snapshot and the start of a plan are shared by all.

use super::{Statement, Values};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo};
use sqlx::{Arguments, Encode, Postgres, Type};
use std::ops::Range;

/// Values in the form that the database reads.
#[derive(Default)]
pub(super) struct Apart {
    bytes: PgArgumentBuffer,
    values: Vec<Value>,
}

struct Value {
    kind: PgTypeInfo,
    /// Of the bytes; None for null.
    bytes: Option<Range<usize>>,
    /// Where its placeholder stands in the text.
    at: usize,
}

/// A value that was encoded before.
struct Encoded<'a> {
    kind: &'a PgTypeInfo,
    bytes: Option<&'a [u8]>,
}

impl Apart {
    pub(super) fn add<'q, T>(&mut self, value: T, at: usize) -> Result<(), BoxDynError>
    where
        T: Encode<'q, Postgres> + Type<Postgres>,
    {
        let kind = value.produces().unwrap_or_else(T::type_info);
        let from = self.bytes.len();
        let is_null = matches!(value.encode(&mut self.bytes)?, IsNull::Yes);
        let bytes = (!is_null).then(|| from..self.bytes.len());
        self.values.push(Value { kind, bytes, at });
        Ok(())
    }

    /// Text was put before all of it.
    pub(super) fn move_by(&mut self, bytes: usize) {
        self.values.iter_mut().for_each(|value| value.at += bytes);
    }

    pub(super) fn add_to(&self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.reserve(self.values.len(), self.bytes.len() + 4 * self.values.len());
        for Value { kind, bytes, .. } in &self.values {
            let bytes = bytes.clone().and_then(|range| self.bytes.get(range));
            arguments.add(Encoded { kind, bytes })?;
        }
        Ok(())
    }
}

impl Type<Postgres> for Encoded<'_> {
    /// Each value says its own; see [`Encode::produces`].
    fn type_info() -> PgTypeInfo {
        <() as Type<Postgres>>::type_info()
    }
}

impl<'q> Encode<'q, Postgres> for Encoded<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let Some(bytes) = self.bytes else { return Ok(IsNull::Yes) };
        buffer.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.kind.clone())
    }
}

impl Statement {
    /// Whether the two can be gathered: one text, and values of the same types.
    pub fn is_like(&self, other: &Statement) -> bool {
        let (Values::Apart(one), Values::Apart(two)) = (&self.values, &other.values) else {
            return false;
        };
        let kinds = one.values.iter().zip(&two.values);
        self.text == other.text
            && one.values.len() == two.values.len()
            && kinds.into_iter().all(|(one, two)| one.kind == two.kind)
    }

    /// One statement for several that are alike: all their columns, and before them `place`, the
    /// index of the statement that a row is of. The rows of each are in its order. One alone is
    /// as it is.
    pub fn gathered(all: &[Statement]) -> Result<Statement, sqlx::Error> {
        let mut gathered = Statement::default();
        let mut arguments = PgArguments::default();
        let parts = |statement: &Statement| match &statement.values {
            Values::Apart(apart) => apart.values.iter().map(|value| value.at).collect(),
            Values::Together(_) => Vec::new(),
        };
        let (Some(first), mut bound) = (all.first(), 0) else { return Ok(gathered) };
        if let ([_], Values::Apart(apart)) = (all, &first.values) {
            apart.add_to(&mut arguments).map_err(sqlx::Error::Encode)?;
            (gathered.text, gathered.bound) = (first.text.clone(), first.bound);
            gathered.values = Values::Together(arguments);
            return Ok(gathered);
        }
        let places: Vec<usize> = parts(first);
        let text = &mut gathered.text;
        text.push_str("select q.place, u.* from (values ");
        for (place, statement) in all.iter().enumerate() {
            text.push_str(if place > 0 { ", (" } else { "(" });
            text.push_str(&place.to_string());
            for _ in &places {
                bound += 1;
                text.push_str(", $");
                text.push_str(&bound.to_string());
            }
            text.push(')');
            if let Values::Apart(apart) = &statement.values {
                apart.add_to(&mut arguments).map_err(sqlx::Error::Encode)?;
            }
        }
        text.push_str(") q(place");
        for number in 1..=places.len() {
            text.push_str(", p");
            text.push_str(&number.to_string());
        }
        text.push_str(") cross join lateral (");
        let mut from = 0;
        for (index, at) in places.iter().enumerate() {
            let number = (index + 1).to_string();
            text.push_str(first.text.get(from..*at).unwrap_or_default());
            text.push_str("q.p");
            text.push_str(&number);
            from = at + 1 + number.len();
        }
        text.push_str(first.text.get(from..).unwrap_or_default());
        text.push_str(") u");
        (gathered.values, gathered.bound) = (Values::Together(arguments), bound);
        Ok(gathered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looking(system: &'static str, values: &[i64]) -> Statement {
        let mut statement = Statement::apart();
        statement.push("select a from t where b = ").bind(system).push(" and c = any(");
        statement.bind(values.to_vec()).push(") limit 2");
        statement
    }

    #[test]
    fn statements_that_are_alike_are_one_for_the_rows_of_their_values() {
        let all = [looking("a", &[1]), looking("b", &[2, 3])];
        assert!(all[0].is_like(&all[1]));
        let (text, arguments) = Statement::gathered(&all).unwrap().into_parts().unwrap();
        assert_eq!(
            text,
            "select q.place, u.* from (values (0, $1, $2), (1, $3, $4)) q(place, p1, p2) \
             cross join lateral (select a from t where b = q.p1 and c = any(q.p2) limit 2) u"
        );
        assert_eq!(arguments.len(), 4);
        let (text, arguments) = Statement::gathered(&all[..1]).unwrap().into_parts().unwrap();
        assert_eq!(text, "select a from t where b = $1 and c = any($2) limit 2");
        assert_eq!(arguments.len(), 2);
    }

    #[test]
    fn statements_of_other_text_or_types_are_not_alike() {
        let mut other = Statement::apart();
        other.push("select a from t where b = ").bind("a").push(" and c = any(");
        other.bind(vec!["1"]).push(") limit 2");
        assert!(!looking("a", &[1]).is_like(&other));
        let mut longer = looking("a", &[1]);
        longer.push(" offset 1");
        assert!(!looking("a", &[1]).is_like(&longer));
        assert!(!looking("a", &[1]).is_like(&Statement::new("select 1")));
    }
}
