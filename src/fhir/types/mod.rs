//! The primitive types and what their values look like:
//! <https://hl7.org/fhir/R4/datatypes.html#primitive>.

mod date_time;
mod format;
mod instant;
mod uri;
mod xhtml;

pub use date_time::{DateTimeParts, Precision};
pub use instant::{InstantRange, format_instant, instant_range};
pub use uri::{has_scheme, is_oid_uri, is_uuid_uri};

/// One of R4's primitive types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Primitive {
    Boolean,
    Integer,
    UnsignedInt,
    PositiveInt,
    Decimal,
    String,
    Markdown,
    Uri,
    Url,
    Canonical,
    Base64Binary,
    Instant,
    Date,
    DateTime,
    Time,
    Code,
    Oid,
    Id,
    Uuid,
    Xhtml,
}

/// How JSON holds a primitive (json.html#primitive).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JsonType {
    Boolean,
    Number,
    String,
}

const BY_NAME: [(&str, Primitive); 20] = [
    ("boolean", Primitive::Boolean),
    ("integer", Primitive::Integer),
    ("unsignedInt", Primitive::UnsignedInt),
    ("positiveInt", Primitive::PositiveInt),
    ("decimal", Primitive::Decimal),
    ("string", Primitive::String),
    ("markdown", Primitive::Markdown),
    ("uri", Primitive::Uri),
    ("url", Primitive::Url),
    ("canonical", Primitive::Canonical),
    ("base64Binary", Primitive::Base64Binary),
    ("instant", Primitive::Instant),
    ("date", Primitive::Date),
    ("dateTime", Primitive::DateTime),
    ("time", Primitive::Time),
    ("code", Primitive::Code),
    ("oid", Primitive::Oid),
    ("id", Primitive::Id),
    ("uuid", Primitive::Uuid),
    ("xhtml", Primitive::Xhtml),
];

impl Primitive {
    /// The primitive type of that FHIR name.
    pub fn parse(name: &str) -> Option<Self> {
        BY_NAME.iter().find(|(known, _)| *known == name).map(|(_, primitive)| *primitive)
    }

    pub fn name(self) -> &'static str {
        BY_NAME.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    pub fn json_type(self) -> JsonType {
        match self {
            Primitive::Boolean => JsonType::Boolean,
            Primitive::Integer
            | Primitive::UnsignedInt
            | Primitive::PositiveInt
            | Primitive::Decimal => JsonType::Number,
            _ => JsonType::String,
        }
    }

    /// Whether `text` is a value of the type; of a number or boolean its JSON text. The error
    /// says what would be right.
    pub fn check(self, text: &str) -> Result<(), String> {
        let bytes = text.as_bytes();
        if format::has_noncharacter(bytes) {
            return Err("text without U+FFFE and U+FFFF, which XML cannot carry".to_owned());
        }
        let is_valid = match self {
            Primitive::Xhtml => return xhtml::check(text),
            Primitive::Boolean => matches!(text, "true" | "false"),
            Primitive::Integer => format::is_integer(text),
            Primitive::UnsignedInt => format::is_unsigned(text, 0),
            Primitive::PositiveInt => format::is_unsigned(text, 1),
            Primitive::Decimal => format::is_decimal(bytes),
            Primitive::String | Primitive::Markdown => format::is_string(text),
            Primitive::Uri | Primitive::Url | Primitive::Canonical => uri::is_uri(text),
            Primitive::Base64Binary => format::is_base64(bytes),
            Primitive::Instant => date_time::is_instant(bytes),
            Primitive::Date => date_time::is_date(bytes),
            Primitive::DateTime => date_time::is_date_time(bytes),
            Primitive::Time => date_time::is_time(bytes),
            Primitive::Code => format::is_code(text),
            Primitive::Oid => uri::is_oid_uri(text),
            Primitive::Id => format::is_id(bytes),
            Primitive::Uuid => uri::is_uuid_uri(text) && !bytes.iter().any(u8::is_ascii_uppercase),
        };
        match is_valid {
            true => Ok(()),
            false => Err(self.rule().to_owned()),
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Primitive::Boolean => "true or false",
            Primitive::Integer => "a whole number from -2147483648 to 2147483647",
            Primitive::UnsignedInt => "a whole number from 0 to 2147483647",
            Primitive::PositiveInt => "a whole number from 1 to 2147483647",
            Primitive::Decimal => "a decimal number of at most 100 digits",
            Primitive::String | Primitive::Markdown => {
                "text that is not empty or only white space, without control characters other \
                 than tab, CR and LF"
            }
            Primitive::Uri | Primitive::Url | Primitive::Canonical => "a URI without white space",
            Primitive::Base64Binary => "base64 with its padding (RFC 4648)",
            Primitive::Instant => {
                "a real date and time with seconds and zone, YYYY-MM-DDThh:mm:ssZ"
            }
            Primitive::Date => "a real date, YYYY, YYYY-MM or YYYY-MM-DD",
            Primitive::DateTime => {
                "a real date, YYYY, YYYY-MM or YYYY-MM-DD, or one with a time to the second and \
                 a zone, YYYY-MM-DDThh:mm:ss+zz:zz"
            }
            Primitive::Time => "a time of day, hh:mm:ss",
            Primitive::Code => "a code: no white space at the ends, single spaces within",
            Primitive::Oid => "an OID as urn:oid:1.2.3",
            Primitive::Id => "1 to 64 of A-Z a-z 0-9 - .",
            Primitive::Uuid => "a UUID as urn:uuid: and lower-case digits",
            Primitive::Xhtml => "an XHTML div",
        }
    }
}
