//! uri, url, canonical, oid and uuid: <https://hl7.org/fhir/R4/datatypes.html#uri>.

/// `\S*`, not empty, no control characters. A URI may be relative, a template, or of any scheme.
pub(super) fn is_uri(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control())
}

/// True for an absolute URI: a scheme, a colon, and something behind it (RFC 3986 section 3.1).
pub fn has_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let mut bytes = scheme.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && !rest.is_empty()
}

/// `urn:oid:[0-2](\.(0|[1-9][0-9]*))+`.
pub fn is_oid_uri(text: &str) -> bool {
    let Some(oid) = text.strip_prefix("urn:oid:") else { return false };
    let mut arcs = oid.split('.');
    let is_root = arcs.next().is_some_and(|arc| matches!(arc, "0" | "1" | "2"));
    let is_arc = |arc: &str| {
        !arc.is_empty()
            && arc.bytes().all(|byte| byte.is_ascii_digit())
            && (arc == "0" || !arc.starts_with('0'))
    };
    is_root && oid.contains('.') && arcs.all(is_arc)
}

/// `urn:uuid:` and a UUID, its digits in either case (RFC 4122 section 3).
pub fn is_uuid_uri(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else { return false };
    uuid.len() == 36
        && uuid.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::types::Primitive;

    #[test]
    fn uris_have_no_white_space_and_are_not_empty() {
        for text in ["http://a/b", "urn:oid:1.2", "a/b", "Patient/1", "http://a/{b}|1", "é"] {
            assert!(Primitive::Uri.check(text).is_ok(), "{text}");
        }
        for text in ["", " ", "http://a b", "a\n", "a\u{0}", "a\u{2003}b"] {
            assert!(Primitive::Canonical.check(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_scheme_is_a_letter_and_more_before_a_colon() {
        for text in ["http://a", "urn:x", "a+b-c.d:e"] {
            assert!(has_scheme(text), "{text}");
        }
        for text in ["", ":", "a", "1a:b", "a b:c", "a:", "/a:b", "#a:b"] {
            assert!(!has_scheme(text), "{text}");
        }
    }

    #[test]
    fn oids_and_uuids_are_urns() {
        for text in ["urn:oid:1.2.3", "urn:oid:0.0", "urn:oid:2.16.840.1"] {
            assert!(Primitive::Oid.check(text).is_ok(), "{text}");
        }
        for text in ["urn:oid:", "urn:oid:1", "urn:oid:3.1", "urn:oid:1.02", "urn:oid:1..2", "1.2"]
        {
            assert!(Primitive::Oid.check(text).is_err(), "{text}");
        }
        let uuid = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520";
        assert!(Primitive::Uuid.check(uuid).is_ok());
        for text in [&uuid[9..], &uuid[..44], &uuid.to_uppercase(), &uuid.replace("c7", "C7")] {
            assert!(Primitive::Uuid.check(text).is_err(), "{text}");
        }
        assert!(is_uuid_uri("urn:uuid:C757873D-ec9a-4326-a141-556f43239520"));
    }
}
