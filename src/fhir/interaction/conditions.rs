//! Conditional headers and their twins in `Bundle.entry.request`:
//! <https://hl7.org/fhir/R4/http.html#cread>, <https://hl7.org/fhir/R4/http.html#concurrency>.

use super::{IfMatch, NoneMatch, Unless, WriteGuard};
use crate::error::{FhirError, IssueCode, Result};
use chrono::{DateTime, NaiveDateTime, Utc};

/// The conditions as they came; several header lines are joined by commas.
#[derive(Clone, Copy, Default, Debug)]
pub struct Conditions<'a> {
    pub if_match: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
    /// An HTTP date, or the instant of `Bundle.entry.request.ifModifiedSince`.
    pub if_modified_since: Option<&'a str>,
    pub if_none_exist: Option<&'a str>,
}

impl Conditions<'_> {
    /// For a read. `If-None-Match` makes `If-Modified-Since` void, and a date that is none is
    /// ignored (RFC 9110, 13.1.3). 400 for broken ETags.
    pub(super) fn unless(&self) -> Result<Unless> {
        let none_match = self.if_none_match.map(|text| tags(text, "If-None-Match")).transpose()?;
        let none_match = none_match.map(|tags| match tags {
            Tags::Any => NoneMatch::Any,
            Tags::Versions(versions) => NoneMatch::Versions(versions),
        });
        let modified_since = match none_match {
            Some(_) => None,
            None => self.if_modified_since.and_then(date),
        };
        Ok(Unless { none_match, modified_since })
    }

    /// For an update, where `If-None-Match: *` asks that nothing be there yet.
    pub(super) fn update_guard(&self) -> Result<WriteGuard> {
        let guard = self.if_match_guard()?;
        match self.if_none_match.map(|text| tags(text, "If-None-Match")).transpose()? {
            None => Ok(guard),
            Some(Tags::Any) if self.if_match.is_some() => {
                let why = "If-Match and If-None-Match: * exclude each other";
                Err(FhirError::at(IssueCode::Invalid, "http.If-None-Match", why))
            }
            Some(Tags::Any) => Ok(WriteGuard { if_none_match_any: true, ..guard }),
            Some(Tags::Versions(_)) => {
                let why = "For a write, If-None-Match is '*'; versions are asked with If-Match";
                Err(FhirError::at(IssueCode::Invalid, "http.If-None-Match", why))
            }
        }
    }

    /// For a patch or a delete, which take `If-Match` alone.
    pub(super) fn change_guard(&self) -> Result<WriteGuard> {
        if self.if_none_match.is_some() {
            let why = "If-None-Match is for reads and updates";
            return Err(FhirError::at(IssueCode::Invalid, "http.If-None-Match", why));
        }
        self.if_match_guard()
    }

    fn if_match_guard(&self) -> Result<WriteGuard> {
        let tags = self.if_match.map(|text| tags(text, "If-Match")).transpose()?;
        Ok(match tags {
            None => WriteGuard::default(),
            Some(Tags::Any) => WriteGuard { if_match_any: true, ..WriteGuard::default() },
            Some(Tags::Versions(versions)) => {
                WriteGuard { if_match: Some(IfMatch(versions)), ..WriteGuard::default() }
            }
        })
    }
}

enum Tags {
    Any,
    Versions(Vec<String>),
}

/// A list of ETags, weak or strong: FHIR compares them weakly, as version ids.
fn tags(text: &str, header: &str) -> Result<Tags> {
    if text.trim() == "*" {
        return Ok(Tags::Any);
    }
    let broken = || {
        let why = format!("{header} has ETags such as W/\"3\", separated by commas, or *");
        FhirError::at(IssueCode::Value, format!("http.{header}"), why)
    };
    let mut versions = Vec::new();
    let mut rest = text.trim();
    loop {
        let quoted = rest.strip_prefix("W/").unwrap_or(rest);
        let (version, after) =
            quoted.strip_prefix('"').and_then(|open| open.split_once('"')).ok_or_else(broken)?;
        versions.push(version.to_owned());
        let after = after.trim_start();
        if after.is_empty() {
            return Ok(Tags::Versions(versions));
        }
        rest = after.strip_prefix(',').ok_or_else(broken)?.trim_start();
    }
}

/// The three forms of an HTTP date (RFC 9110, 5.6.7), or a FHIR instant.
fn date(text: &str) -> Option<DateTime<Utc>> {
    const FORMS: [&str; 3] =
        ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let text = text.trim();
    let http = |form: &&str| NaiveDateTime::parse_from_str(text, form).ok();
    match FORMS.iter().find_map(http) {
        Some(instant) => Some(instant.and_utc()),
        None => Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(if_none_match: Option<&str>, since: Option<&str>) -> Unless {
        let conditions =
            Conditions { if_none_match, if_modified_since: since, ..Conditions::default() };
        conditions.unless().unwrap()
    }

    #[test]
    fn etags_are_weak_or_strong_one_or_many() {
        for text in ["W/\"1\"", "\"1\"", "W/\"0\", \"1\"", "\"0\" ,W/\"1\""] {
            assert!(read_of(Some(text), None).is_known(1, DateTime::UNIX_EPOCH), "{text}");
            assert!(!read_of(Some(text), None).is_known(2, DateTime::UNIX_EPOCH), "{text}");
        }
        assert!(read_of(Some(" * "), None).is_known(7, DateTime::UNIX_EPOCH));
    }

    #[test]
    fn broken_etags_are_refused() {
        for text in ["", "1", "W/1", "\"1", "\"1\" \"2\"", "\"1\",", "w/\"1\"", "*, \"1\""] {
            let conditions = Conditions { if_match: Some(text), ..Conditions::default() };
            assert_eq!(conditions.update_guard().unwrap_err().kind.status(), 400, "{text}");
        }
    }

    #[test]
    fn dates_of_http_and_instants_of_bundles_are_read() {
        let at = DateTime::parse_from_rfc3339("1994-11-06T08:49:37Z").unwrap().to_utc();
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "1994-11-06T08:49:37Z",
            "1994-11-06T09:49:37.000+01:00",
        ] {
            assert_eq!(read_of(None, Some(text)).modified_since, Some(at), "{text}");
        }
    }

    #[test]
    fn a_date_that_is_none_is_ignored() {
        assert_eq!(read_of(None, Some("yesterday")).modified_since, None);
    }

    #[test]
    fn if_none_match_makes_if_modified_since_void() {
        let unless = read_of(Some("W/\"1\""), Some("1994-11-06T08:49:37Z"));
        assert_eq!(unless.modified_since, None);
    }

    #[test]
    fn a_version_of_the_same_second_counts_as_known() {
        let updated = DateTime::parse_from_rfc3339("1994-11-06T08:49:37.500Z").unwrap().to_utc();
        let unless = read_of(None, Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert!(unless.is_known(1, updated));
        assert!(!unless.is_known(1, updated + chrono::TimeDelta::seconds(1)));
    }

    #[test]
    fn a_write_takes_if_none_match_as_star_only() {
        let of = |if_none_match, if_match| Conditions {
            if_none_match,
            if_match,
            ..Conditions::default()
        };
        assert!(of(Some("*"), None).update_guard().unwrap().if_none_match_any);
        assert!(of(Some("W/\"1\""), None).update_guard().is_err());
        assert!(of(Some("*"), Some("W/\"1\"")).update_guard().is_err());
        assert!(of(Some("*"), None).change_guard().is_err());
        assert!(of(None, Some("*")).change_guard().unwrap().if_match_any);
        let guard = of(None, Some("W/\"3\"")).change_guard().unwrap();
        assert!(guard.if_match.unwrap().admits(3));
    }
}
