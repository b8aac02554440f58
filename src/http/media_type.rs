//! Media types, as in `Content-Type`, and media ranges with weights, as in `Accept`
//! (RFC 9110, 8.3.1 and 12.5.1).

use crate::fhir::interaction::split_quoted;

/// `type/subtype` in lower case, and its parameters with names in lower case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaType {
    pub essence: String,
    parameters: Vec<(String, String)>,
}

/// One member of an `Accept` list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    pub media_type: MediaType,
    /// Thousandths, 0 to 1000; 0 is "not this".
    pub weight: u16,
}

impl MediaType {
    /// None where the text is no media type or range.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = split_quoted(text, ';');
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut parameters = Vec::new();
        for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            let value = value.trim().trim_matches('"').to_owned();
            parameters.push((name.trim().to_ascii_lowercase(), value));
        }
        Some(MediaType { essence, parameters })
    }

    /// The value of a parameter; its name in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// How closely a range fits `essence`: 2 named, 1 by its type, 0 as `*/*`; None not at all.
    pub fn closeness(&self, essence: &str) -> Option<u8> {
        if self.essence == essence {
            return Some(2);
        }
        match self.essence.strip_suffix("/*")? {
            "*" => Some(0),
            kind => essence.strip_prefix(kind)?.starts_with('/').then_some(1),
        }
    }
}

/// The members of an `Accept` header in order; those that are no media ranges are left out.
pub fn ranges(accept: &str) -> Vec<Range> {
    split_quoted(accept, ',').filter_map(range).collect()
}

fn range(text: &str) -> Option<Range> {
    let mut media_type = MediaType::parse(text)?;
    let weight = match media_type.parameter("q") {
        None => 1_000,
        Some(weight) => thousandths(weight)?,
    };
    media_type.parameters.retain(|(name, _)| name != "q");
    Some(Range { media_type, weight })
}

/// `0`, `1`, or either with up to three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_weight = matches!(whole, "0" | "1")
        && decimals.len() <= 3
        && decimals.bytes().all(|b| b.is_ascii_digit());
    if !is_weight {
        return None;
    }
    let whole: u16 = whole.parse().ok()?;
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    Some(whole * 1_000 + decimals).filter(|weight| *weight <= 1_000)
}

fn is_token(text: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_has_an_essence_and_parameters() {
        let kind = MediaType::parse("Application/FHIR+json ; Charset=\"UTF-8\";fhirVersion=4.0");
        let kind = kind.unwrap();
        assert_eq!(kind.essence, "application/fhir+json");
        assert_eq!(kind.parameter("charset"), Some("UTF-8"));
        assert_eq!(kind.parameter("fhirversion"), Some("4.0"));
        for broken in ["", "json", "a/", "/b", "a b/c", "a/b;c", "a/b/c"] {
            assert_eq!(MediaType::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn weights_have_three_decimals_at_most() {
        for (text, weight) in
            [("0", 0), ("1", 1_000), ("0.5", 500), ("0.333", 333), ("1.000", 1_000)]
        {
            assert_eq!(thousandths(text), Some(weight), "{text}");
        }
        for text in ["", "2", "1.1", "0.3333", "-1", "a", "0.x"] {
            assert_eq!(thousandths(text), None, "{text}");
        }
    }

    #[test]
    fn a_list_keeps_its_order_and_drops_what_is_broken() {
        let list = ranges("a/b;q=0.5, nonsense, text/*;x=\"a,b\", */*;q=9");
        let essences: Vec<_> = list.iter().map(|range| range.media_type.essence.as_str()).collect();
        assert_eq!(essences, ["a/b", "text/*"]);
    }

    #[test]
    fn a_range_fits_closely_or_by_its_star() {
        let closeness = |range: &str| MediaType::parse(range).unwrap().closeness("text/xml");
        assert_eq!(closeness("text/xml"), Some(2));
        assert_eq!(closeness("text/*"), Some(1));
        assert_eq!(closeness("*/*"), Some(0));
        assert_eq!(closeness("tex/*"), None);
        assert_eq!(closeness("text/plain"), None);
    }
}
