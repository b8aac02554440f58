//! Words as the `tsvector` of the database, in its binary form: the number of words, and for each
//! its text, NUL, the number of its places and these.

use crate::search::full_text::{Lexeme, Words};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// Of the types in `pg_type`, the same in every database.
const TSVECTOR: Oid = Oid(3614);
const TSVECTOR_ARRAY: Oid = Oid(3643);

/// The place of a word, below its weight.
const PLACE: u16 = 0x3fff;

impl Type<Postgres> for Words {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TSVECTOR)
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        ty.oid() == Some(TSVECTOR)
    }
}

impl PgHasArrayType for Words {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TSVECTOR_ARRAY)
    }
}

impl Encode<'_, Postgres> for Words {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&i32::try_from(self.0.len())?.to_be_bytes());
        for Lexeme { word, places } in &self.0 {
            buffer.extend_from_slice(word.as_bytes());
            buffer.push(0);
            buffer.extend_from_slice(&u16::try_from(places.len())?.to_be_bytes());
            places.iter().for_each(|place| buffer.extend_from_slice(&place.to_be_bytes()));
        }
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Words {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let bytes = value.as_bytes()?;
        read(bytes).ok_or_else(|| "a tsvector that ends too early".into())
    }
}

fn read(mut bytes: &[u8]) -> Option<Words> {
    let count = i32::from_be_bytes(*bytes.split_off(..4)?.first_chunk()?);
    let mut words = Vec::new();
    for _ in 0..count {
        let end = bytes.iter().position(|byte| *byte == 0)?;
        let word = String::from_utf8(bytes.split_off(..end)?.to_vec()).ok()?;
        let head = bytes.split_off(..3)?;
        let count = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let places = bytes.split_off(..2 * count)?.chunks_exact(2);
        let places = places.map(|pair| u16::from_be_bytes([pair[0], pair[1]]) & PLACE).collect();
        words.push(Lexeme { word, places });
    }
    // The database has its own order.
    words.sort_unstable();
    Some(Words(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_from_their_binary_form() {
        let words = Words::of("the arm and the été");
        let mut buffer = PgArgumentBuffer::default();
        let _ = words.encode_by_ref(&mut buffer).unwrap();
        assert_eq!(read(&buffer), Some(words));
        assert_eq!(read(&buffer[..buffer.len() - 1]), None);
        assert_eq!(read(&[]), None);
    }
}
