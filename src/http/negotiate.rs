//! Which form bodies have, in and out: <https://hl7.org/fhir/R4/http.html#mime-type>.

use super::media_type::{MediaType, Range, ranges};
use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use crate::fhir::interaction::Parameter;

/// A form of resources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Json,
    Xml,
}

const JSON: [&str; 4] =
    ["application/fhir+json", "application/json", "text/json", "application/json+fhir"];
const XML: [&str; 4] =
    ["application/fhir+xml", "application/xml", "text/xml", "application/xml+fhir"];

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/fhir+json; charset=utf-8",
            Format::Xml => "application/fhir+xml; charset=utf-8",
        }
    }

    fn names(self) -> &'static [&'static str; 4] {
        match self {
            Format::Json => &JSON,
            Format::Xml => &XML,
        }
    }

    fn of_essence(essence: &str) -> Option<Format> {
        [Format::Json, Format::Xml].into_iter().find(|format| format.names().contains(&essence))
    }
}

/// How a client wants the answer to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Looks {
    pub format: Format,
    pub is_pretty: bool,
}

/// What a client said about the form of the answer.
#[derive(Clone, Default, Debug)]
pub struct Wishes {
    /// `_format`, which overrides `Accept` (http.html#parameters).
    pub format: Option<String>,
    /// Several lines joined by commas.
    pub accept: Option<String>,
    pub is_pretty: bool,
    /// The form of the request's body, for clients that say nothing else.
    pub sent: Option<Format>,
}

impl Wishes {
    /// With `_format` and `_pretty` of these, which may also have come in the form of a search.
    pub fn with(mut self, presentation: &[Parameter]) -> Self {
        let of = |name: &str| presentation.iter().find(|(known, _)| known == name).map(|p| &p.1);
        self.format = of("_format").cloned();
        self.is_pretty = of("_pretty").is_some_and(|pretty| pretty == "true");
        self
    }

    /// The form of the answer. 406 where none of those asked for is offered.
    pub fn looks(&self) -> Result<Looks> {
        let format = match (&self.format, &self.accept) {
            (Some(format), _) => named(format).ok_or_else(|| not_acceptable("_format", format))?,
            (None, Some(accept)) if !accept.trim().is_empty() => self.accepted(accept)?,
            _ => self.sent.unwrap_or(Format::Json),
        };
        Ok(Looks { format, is_pretty: self.is_pretty })
    }

    /// As [`Self::looks`], and JSON where that fails: an error has to be told somehow.
    pub fn looks_of_error(&self) -> Looks {
        self.looks().unwrap_or(Looks { format: Format::Json, is_pretty: self.is_pretty })
    }

    fn accepted(&self, accept: &str) -> Result<Format> {
        let ranges = ranges(accept);
        // Of two that fit equally well by a star, what was sent, else JSON.
        let formats = match self.sent {
            Some(Format::Xml) => [Format::Json, Format::Xml],
            _ => [Format::Xml, Format::Json],
        };
        formats
            .into_iter()
            .filter_map(|format| Some((fit(&ranges, format.names())?, format)))
            .filter(|(fit, _)| fit.weight > 0)
            .max_by_key(|(fit, _)| fit.rank())
            .map(|(_, format)| format)
            .ok_or_else(|| not_acceptable("Accept", accept))
    }

    /// How the content of a Binary of that media type is to be sent (binary.html#rest): as a
    /// resource where a FHIR format is asked for by name, else as it is.
    pub fn binary(&self, stored: &str) -> Result<BinaryForm> {
        let as_resource =
            |format| BinaryForm::Resource(Looks { format, is_pretty: self.is_pretty });
        let accept = match (&self.format, &self.accept) {
            (Some(_), _) => return Ok(as_resource(self.looks()?.format)),
            (None, Some(accept)) if !accept.trim().is_empty() => accept,
            _ => return Ok(BinaryForm::Native),
        };
        let ranges = ranges(accept);
        let stored = MediaType::parse(stored).map(|kind| kind.essence).unwrap_or_default();
        let native = fit(&ranges, &[&stored]).map(|fit| (fit, BinaryForm::Native));
        let named = [Format::Json, Format::Xml].into_iter().filter_map(|format| {
            let fit = fit(&ranges, format.names()).filter(|fit| fit.closeness == 2)?;
            Some((fit, as_resource(format)))
        });
        named
            .chain(native)
            .filter(|(fit, _)| fit.weight > 0)
            .max_by_key(|(fit, _)| fit.rank())
            .map(|(_, form)| form)
            .ok_or_else(|| not_acceptable("Accept", accept))
    }
}

/// How the content of a Binary is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BinaryForm {
    Resource(Looks),
    Native,
}

/// How well a list of ranges fits something.
#[derive(Clone, Copy)]
struct Fit {
    weight: u16,
    closeness: u8,
    /// Position in the list.
    position: usize,
}

impl Fit {
    /// By weight, then by closeness, then the first in the list.
    fn rank(&self) -> (u16, u8, std::cmp::Reverse<usize>) {
        (self.weight, self.closeness, std::cmp::Reverse(self.position))
    }
}

/// The fit of the closest range, as RFC 9110 12.5.1 has it: `*/*;q=1` says nothing of what is
/// named with another weight.
fn fit(ranges: &[Range], names: &[&str]) -> Option<Fit> {
    let fits = ranges.iter().enumerate().filter_map(|(position, range)| {
        let closest = names.iter().filter_map(|name| range.media_type.closeness(name)).max()?;
        is_offered(&range.media_type).then_some(Fit {
            weight: range.weight,
            closeness: closest,
            position,
        })
    });
    fits.max_by_key(|fit| (fit.closeness, fit.weight, std::cmp::Reverse(fit.position)))
}

/// This server speaks R4 in UTF-8 (http.html#version-parameter).
fn is_offered(media_type: &MediaType) -> bool {
    let version = media_type.parameter("fhirversion");
    let charset = media_type.parameter("charset");
    version.is_none_or(|version| matches!(version, "4.0" | "4.0.1")) && charset.is_none_or(is_utf8)
}

fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name))
}

/// A value of `_format`: a short form, or a media type whose `+` came as a space.
fn named(format: &str) -> Option<Format> {
    match format {
        "json" => return Some(Format::Json),
        "xml" => return Some(Format::Xml),
        _ => {}
    }
    let media_type = MediaType::parse(&format.replacen("fhir ", "fhir+", 1))?;
    let format = Format::of_essence(&media_type.essence)?;
    is_offered(&media_type).then_some(format)
}

fn not_acceptable(place: &str, value: &str) -> FhirError {
    let shown: String = value.chars().take(200).collect();
    let text = format!(
        "None of '{shown}' is offered; application/fhir+json and application/fhir+xml are, in \
         UTF-8 and fhirVersion 4.0"
    );
    let issue = Issue::error(IssueCode::NotSupported, format!("http.{place}"), text);
    FhirError::of_issues(ErrorKind::NotAcceptable, vec![issue])
}

/// What a body is, by its `Content-Type`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BodyKind {
    /// `is_generic`: `application/json` and the like, which a Binary may be without being FHIR.
    Fhir {
        format: Format,
        is_generic: bool,
    },
    JsonPatch,
    MergePatch,
    XmlPatch,
    Form,
    /// Content of a Binary, if anything.
    Other(String),
}

impl BodyKind {
    /// 415 where the type is missing or broken, or is FHIR in another version or charset.
    pub fn of(content_type: Option<&str>) -> Result<BodyKind> {
        let Some(content_type) = content_type else {
            return Err(unsupported("The body has no Content-Type"));
        };
        let Some(media_type) = MediaType::parse(content_type) else {
            return Err(unsupported("The Content-Type is not a media type"));
        };
        let kind = match media_type.essence.as_str() {
            "application/json-patch+json" => BodyKind::JsonPatch,
            "application/merge-patch+json" => BodyKind::MergePatch,
            "application/xml-patch+xml" => BodyKind::XmlPatch,
            "application/x-www-form-urlencoded" => BodyKind::Form,
            essence => match Format::of_essence(essence) {
                Some(format) => BodyKind::Fhir { format, is_generic: !essence.contains("fhir") },
                None => return Ok(BodyKind::Other(content_type.trim().to_owned())),
            },
        };
        match is_offered(&media_type) {
            true => Ok(kind),
            false => Err(unsupported("Bodies are taken in UTF-8 and fhirVersion 4.0 only")),
        }
    }
}

/// 415 with what is taken.
pub fn unsupported(text: &str) -> FhirError {
    let text =
        format!("{text}; resources are sent as application/fhir+json or application/fhir+xml");
    let issue = Issue::error(IssueCode::NotSupported, "http.Content-Type", text);
    FhirError::of_issues(ErrorKind::UnsupportedMediaType, vec![issue])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(format: Option<&str>, accept: Option<&str>) -> Wishes {
        let (format, accept) = (format.map(str::to_owned), accept.map(str::to_owned));
        Wishes { format, accept, ..Wishes::default() }
    }

    fn format(format: Option<&str>, accept: Option<&str>) -> Option<Format> {
        let found = wishes(format, accept).looks();
        assert!(found.as_ref().err().is_none_or(|error| error.kind == ErrorKind::NotAcceptable));
        found.ok().map(|looks| looks.format)
    }

    #[test]
    fn accept_is_obeyed_by_weight_then_closeness_then_order() {
        use Format::{Json, Xml};
        for (accept, expected) in [
            ("application/fhir+json", Some(Json)),
            ("application/fhir+xml", Some(Xml)),
            ("application/json", Some(Json)),
            ("text/xml", Some(Xml)),
            ("application/json+fhir", Some(Json)),
            ("*/*", Some(Json)),
            ("application/*", Some(Json)),
            ("", Some(Json)),
            ("application/fhir+xml, application/fhir+json", Some(Xml)),
            ("application/fhir+json, application/fhir+xml", Some(Json)),
            ("application/fhir+json;q=0.5, application/fhir+xml;q=0.6", Some(Xml)),
            ("*/*, application/fhir+xml", Some(Xml)),
            ("application/fhir+xml;q=0.2, */*;q=0.1", Some(Xml)),
            ("application/fhir+json;q=0, */*", Some(Xml)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Xml)),
            ("text/html, */*;q=0.1", Some(Json)),
            ("application/fhir+json; fhirVersion=4.0", Some(Json)),
            ("application/fhir+json; fhirVersion=4.0; charset=UTF-8", Some(Json)),
            ("application/fhir+json; fhirVersion=3.0, application/fhir+xml", Some(Xml)),
            ("application/fhir+json; fhirVersion=5.0", None),
            ("application/fhir+json; charset=iso-8859-1", None),
            ("application/fhir+turtle", None),
            ("image/png", None),
            ("nonsense", None),
            ("*/*;q=0", None),
            ("application/fhir+json;q=0, application/fhir+xml;q=0", None),
        ] {
            assert_eq!(format(None, Some(accept)), expected, "{accept}");
        }
        assert_eq!(format(None, None), Some(Json));
    }

    #[test]
    fn format_overrides_accept() {
        let xml = Some("application/fhir+xml");
        for name in [
            "json",
            "application/json",
            "application/fhir+json",
            "application/fhir json",
            "text/json",
            "application/fhir+json; fhirVersion=4.0",
        ] {
            assert_eq!(format(Some(name), xml), Some(Format::Json), "{name}");
        }
        for name in ["xml", "text/xml", "application/xml", "application/fhir xml"] {
            assert_eq!(format(Some(name), None), Some(Format::Xml), "{name}");
        }
        for name in ["html", "ttl", "", "JSON5", "application/fhir+json; fhirVersion=3.0"] {
            assert_eq!(format(Some(name), xml), None, "{name}");
        }
    }

    #[test]
    fn who_says_nothing_gets_what_he_sent() {
        for accept in [None, Some("*/*")] {
            let wishes = Wishes { sent: Some(Format::Xml), ..wishes(None, accept) };
            assert_eq!(wishes.looks().unwrap().format, Format::Xml);
        }
        let named = Some("application/fhir+json, */*");
        let wishes = Wishes { sent: Some(Format::Xml), ..wishes(None, named) };
        assert_eq!(wishes.looks().unwrap().format, Format::Json);
    }

    #[test]
    fn an_error_is_told_in_json_where_nothing_is_acceptable() {
        assert_eq!(wishes(None, Some("image/png")).looks_of_error().format, Format::Json);
    }

    #[test]
    fn a_binary_is_native_unless_a_fhir_format_is_named() {
        let form = |accept, stored| match wishes(None, accept).binary(stored) {
            Ok(BinaryForm::Native) => "native",
            Ok(BinaryForm::Resource(Looks { format: Format::Json, .. })) => "json",
            Ok(BinaryForm::Resource(_)) => "xml",
            Err(_) => "406",
        };
        for (accept, stored, expected) in [
            (None, "image/png", "native"),
            (Some("*/*"), "image/png", "native"),
            (Some("image/*"), "image/png", "native"),
            (Some("image/png"), "image/png", "native"),
            (Some("application/fhir+json"), "image/png", "json"),
            (Some("application/fhir+xml"), "image/png", "xml"),
            (Some("application/fhir+json, */*;q=0.1"), "image/png", "json"),
            (Some("image/png, application/fhir+json;q=0.9"), "image/png", "native"),
            (Some("application/json"), "image/png", "json"),
            (Some("application/pdf"), "image/png", "406"),
            (Some("text/plain"), "text/plain; charset=latin1", "native"),
        ] {
            assert_eq!(form(accept, stored), expected, "{accept:?} {stored}");
        }
        let asked = wishes(Some("xml"), Some("image/png")).binary("image/png").unwrap();
        assert!(matches!(asked, BinaryForm::Resource(Looks { format: Format::Xml, .. })));
    }

    #[test]
    fn bodies_are_known_by_their_content_type() {
        let fhir = |format, is_generic| BodyKind::Fhir { format, is_generic };
        for (content_type, expected) in [
            ("application/fhir+json", fhir(Format::Json, false)),
            ("Application/FHIR+XML; charset=utf-8", fhir(Format::Xml, false)),
            ("application/json;charset=UTF-8", fhir(Format::Json, true)),
            ("text/xml", fhir(Format::Xml, true)),
            ("application/fhir+json;fhirVersion=4.0", fhir(Format::Json, false)),
            ("application/json-patch+json", BodyKind::JsonPatch),
            ("application/merge-patch+json", BodyKind::MergePatch),
            ("application/xml-patch+xml", BodyKind::XmlPatch),
            ("application/x-www-form-urlencoded; charset=UTF-8", BodyKind::Form),
            ("image/png", BodyKind::Other("image/png".to_owned())),
        ] {
            assert_eq!(BodyKind::of(Some(content_type)).unwrap(), expected, "{content_type}");
        }
        for refused in [
            None,
            Some(""),
            Some("json"),
            Some("application/fhir+json; charset=utf-16"),
            Some("application/fhir+json; fhirVersion=3.0"),
        ] {
            let error = BodyKind::of(refused).unwrap_err();
            assert_eq!(error.kind, ErrorKind::UnsupportedMediaType, "{refused:?}");
        }
    }
}
