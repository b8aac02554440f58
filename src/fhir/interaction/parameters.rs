//! Queries and forms: `name=value` pairs, decoded, and the four parameters that concern the
//! answer's looks only: <https://hl7.org/fhir/R4/http.html#parameters>.

use super::Parameter;
use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use crate::fhir::subset::Subset;
use percent_encoding::percent_decode;

/// Parameters that say how the answer should look, whatever the interaction.
const PRESENTATION: [&str; 4] = ["_format", "_pretty", "_summary", "_elements"];

/// Parameters that shape a search result and select nothing (search.html#2.21.1.5).
const RESULT: [&str; 12] = [
    "_sort",
    "_count",
    "_include",
    "_revinclude",
    "_total",
    "_contained",
    "_containedType",
    "_format",
    "_pretty",
    "_summary",
    "_elements",
    "_maxresults",
];

/// The parameters of a request, those of presentation set apart.
pub(super) struct Parameters {
    pub(super) asked: Vec<Parameter>,
    pub(super) presentation: Vec<Parameter>,
    pub(super) subset: Subset,
}

impl Parameters {
    /// Reads the query and joins the fields of a form to it (http.html#search: both count).
    pub(super) fn read(query: Option<&str>, form: Vec<Parameter>) -> Result<Self> {
        let mut all = decode_query(query.unwrap_or_default())?;
        all.extend(form);
        let (presentation, asked): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(name, _)| PRESENTATION.contains(&name.as_str()));
        let subset = subset(&presentation)?;
        Ok(Parameters { asked, presentation, subset })
    }
}

/// `application/x-www-form-urlencoded` into decoded pairs, in order. Empty pairs are dropped;
/// a name without `=` has an empty value. 400 for broken percent-encoding, invalid UTF-8, NUL.
pub fn decode_query(query: &str) -> Result<Vec<Parameter>> {
    pairs(query)
        .map(|(name, value)| Ok((decode_form(name)?, decode_form(value)?)))
        .collect::<Result<Vec<_>>>()
}

/// The query of a conditional interaction without the parameters of presentation, undecoded.
/// 412 where nothing in it selects: such criteria would hold for every resource
/// (http.html#2.21.0.10.2 "not selective enough").
pub(super) fn criteria(query: &str) -> Result<String> {
    let mut kept = Vec::new();
    let mut selects = false;
    for (name, value) in pairs(query) {
        let (decoded_name, decoded_value) = (decode_form(name)?, decode_form(value)?);
        if PRESENTATION.contains(&decoded_name.as_str()) {
            continue;
        }
        let plain = decoded_name.split(':').next().unwrap_or_default();
        selects |=
            !plain.is_empty() && !decoded_value.trim().is_empty() && !RESULT.contains(&plain);
        kept.push(match value {
            "" => name.to_owned(),
            _ => format!("{name}={value}"),
        });
    }
    match selects {
        true => Ok(kept.join("&")),
        false => {
            let text = "The criteria select nothing in particular; give at least one search \
                        parameter with a value";
            let issues = vec![Issue::error(IssueCode::Required, "http.criteria", text)];
            Err(FhirError::of_issues(ErrorKind::PreconditionFailed, issues))
        }
    }
}

/// A path segment: `+` stands for itself.
pub(super) fn decode_path(segment: &str) -> Result<String> {
    decode(segment.as_bytes(), "the path")
}

fn decode_form(text: &str) -> Result<String> {
    match text.contains('+') {
        true => decode(text.replace('+', " ").as_bytes(), "a parameter"),
        false => decode(text.as_bytes(), "a parameter"),
    }
}

fn decode(text: &[u8], place: &str) -> Result<String> {
    let is_hex = |at: usize| text.get(at).is_some_and(u8::is_ascii_hexdigit);
    let broken = (0..text.len()).any(|at| text[at] == b'%' && !(is_hex(at + 1) && is_hex(at + 2)));
    if broken {
        let why = format!("A '%' in {place} is not followed by two hexadecimal digits");
        return Err(FhirError::bad_request(why));
    }
    let decoded = percent_decode(text).decode_utf8();
    let decoded = decoded.map_err(|_| {
        FhirError::bad_request(format!("The percent-encoding of {place} is not UTF-8"))
    })?;
    match decoded.contains('\0') {
        true => Err(FhirError::bad_request(format!("{place} holds a NUL character"))),
        false => Ok(decoded.into_owned()),
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

/// search.html#summary and #elements.
fn subset(presentation: &[Parameter]) -> Result<Subset> {
    single(presentation, "_format")?;
    if let Some(pretty) = single(presentation, "_pretty")?
        && !matches!(pretty, "true" | "false")
    {
        return Err(FhirError::invalid_value("http._pretty", "_pretty is true or false"));
    }
    let summary = match single(presentation, "_summary")? {
        None | Some("false") => Subset::None,
        Some("true") => Subset::Summary,
        Some("text") => Subset::Text,
        Some("data") => Subset::Data,
        Some("count") => Subset::Count,
        Some(_) => {
            let why = "_summary is one of true, text, data, count, false";
            return Err(FhirError::invalid_value("http._summary", why));
        }
    };
    match (elements(presentation)?, summary) {
        (None, summary) => Ok(summary),
        (Some(elements), Subset::None) => Ok(Subset::Elements(elements)),
        (Some(_), _) => {
            let why = "_summary and _elements exclude each other";
            Err(FhirError::at(IssueCode::Invalid, "http._elements", why))
        }
    }
}

/// The comma-separated names, in order, each once; repeated parameters add up.
fn elements(presentation: &[Parameter]) -> Result<Option<Vec<String>>> {
    let mut names: Vec<String> = Vec::new();
    let mut is_given = false;
    for (_, value) in presentation.iter().filter(|(name, _)| name == "_elements") {
        is_given = true;
        for name in value.split(',').map(str::trim) {
            let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric())
                && name.starts_with(|first: char| first.is_ascii_lowercase());
            if !is_name {
                let why = format!(
                    "'{name}' is not an element's name: _elements has names of top-level \
                     elements, separated by commas"
                );
                return Err(FhirError::invalid_value("http._elements", why));
            }
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    Ok(is_given.then_some(names))
}

/// The one value of a parameter. 400 where it is given twice with different values.
pub(super) fn single<'p>(parameters: &'p [Parameter], name: &str) -> Result<Option<&'p str>> {
    let mut values = parameters.iter().filter(|(known, _)| known == name).map(|(_, v)| v.as_str());
    let first = values.next();
    match values.all(|value| Some(value) == first) {
        true => Ok(first),
        false => {
            let why = format!("{name} is given more than once");
            Err(FhirError::at(IssueCode::Invalid, format!("http.{name}"), why))
        }
    }
}
