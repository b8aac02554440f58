//! URIs and canonicals: <https://hl7.org/fhir/R4/search.html#uri>. Equal letter for letter.

use super::Node;
use super::text::{KEY_BYTES, key, unescape};
use crate::search::index_rows::{ParameterId, UriRow};

/// What a search value asks of a uri.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum UriTest {
    /// One of these.
    Is(Vec<String>),
    /// This, or under it in the hierarchy of paths: what begins so and goes on.
    Below { itself: String, prefix: String },
}

impl UriTest {
    /// The uri alone.
    pub fn is(text: &str) -> UriTest {
        UriTest::Is(vec![key(&unescape(text))])
    }

    /// `:below`. The text of an error says what is right.
    pub fn below(text: &str) -> Result<UriTest, &'static str> {
        let itself = url(text)?;
        let prefix = format!("{}/", itself.trim_end_matches('/'));
        Ok(UriTest::Below { itself, prefix })
    }

    /// `:below` of canonical URLs: in any version, or in those that begin with the one that is
    /// named, such as 1.0 and 1.1 with 1.
    pub fn below_version(text: &str) -> Result<UriTest, &'static str> {
        let itself = url(text)?;
        let prefix = format!("{itself}{}", if itself.contains('|') { "." } else { "|" });
        Ok(UriTest::Below { itself, prefix })
    }

    /// `:above`: the URL, and every URL that it is under.
    pub fn above(text: &str) -> Result<UriTest, &'static str> {
        let url = url(text)?;
        let host = url.find("://").map_or(0, |at| at + 3);
        let ends = url[host..].match_indices('/').map(|(at, _)| at + host);
        let above = ends.flat_map(|at| [url[..at].to_owned(), url[..=at].to_owned()]);
        let mut all: Vec<String> = above.chain([url.clone()]).collect();
        all.dedup();
        Ok(UriTest::Is(all))
    }

    /// Whether a stored value is asked for.
    pub fn admits(&self, value: &str) -> bool {
        match self {
            UriTest::Is(values) => values.iter().any(|one| one == value),
            UriTest::Below { itself, prefix } => value == itself || value.starts_with(prefix),
        }
    }
}

/// A URL, and no URN, which has no hierarchy.
fn url(text: &str) -> Result<String, &'static str> {
    let url = unescape(text);
    match url.contains("://") && url.len() < KEY_BYTES {
        true => Ok(url),
        false => Err("this modifier is about the path of a URL, such as http://a.org/fhir"),
    }
}

/// Adds the rows of one uri, url, oid, uuid or canonical. A canonical with a version is also
/// found without it (references.html#canonical).
pub fn index(node: Node<'_>, parameter: ParameterId, rows: &mut Vec<UriRow>) {
    let Some(text) = node.value.as_str().filter(|text| !text.is_empty()) else { return };
    add(text, parameter, rows);
    if node.type_name == "canonical"
        && let Some((url, _)) = text.split_once('|')
    {
        add(url, parameter, rows);
    }
}

/// Adds a row of its own.
pub fn add(text: &str, parameter: ParameterId, rows: &mut Vec<UriRow>) {
    rows.push(UriRow { parameter, value: key(text) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_canonical_is_found_with_and_without_its_version() {
        let (value, mut rows) = (json!("http://a/q|1.0"), Vec::new());
        index(Node { value: &value, type_name: "canonical" }, ParameterId(1), &mut rows);
        let found: Vec<_> = rows.iter().map(|row| row.value.as_str()).collect();
        assert_eq!(found, ["http://a/q|1.0", "http://a/q"]);
    }
}
