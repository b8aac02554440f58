//! A query, and how it is written.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// One, or several of a search of the whole server by `_type`.
    pub types: Vec<&'static str>,
    pub criteria: Vec<Criterion>,
    /// None where contained resources are left out.
    pub contained: Option<Contained>,
    pub includes: Vec<Include>,
    pub sort: Option<Sort>,
    /// Matches of a page.
    pub count: usize,
    pub is_by_post: bool,
}

/// `_contained` and `_containedType`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contained {
    pub has_others: bool,
    pub shows_containers: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Criterion {
    /// What leads to the resource that the rest is about.
    pub links: Vec<Link>,
    pub name: &'static str,
    pub modifier: Option<&'static str>,
    /// Alternatives, escaped.
    pub values: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// `name.` or `name:Type.`
    Chain { name: &'static str, target: Option<&'static str> },
    /// `_has:Type:name:`
    Has { kind: &'static str, name: &'static str },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    pub name: &'static str,
    pub is_descending: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Include {
    pub is_reverse: bool,
    pub is_iterated: bool,
    /// The type that refers; None is `*`.
    pub source: Option<&'static str>,
    /// None is `*`.
    pub name: Option<&'static str>,
    pub target: Option<&'static str>,
}

/// What a name or value keeps in a URL.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'*');

impl Query {
    /// Without `_type`, which is for several types alone.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        if self.types.len() > 1 {
            found.push(("_type".to_owned(), self.types.join(",")));
        }
        found.extend(self.criteria.iter().map(Criterion::parameter));
        found.extend(self.includes.iter().map(Include::parameter));
        if let Some(contained) = self.contained {
            let which = if contained.has_others { "both" } else { "true" };
            found.push(("_contained".to_owned(), which.to_owned()));
            let kind = if contained.shows_containers { "container" } else { "contained" };
            found.push(("_containedType".to_owned(), kind.to_owned()));
        }
        if let Some(sort) = &self.sort {
            let sign = if sort.is_descending { "-" } else { "" };
            found.push(("_sort".to_owned(), format!("{sign}{}", sort.name)));
        }
        found.push(("_count".to_owned(), self.count.to_string()));
        found.push(("_total".to_owned(), "accurate".to_owned()));
        found
    }

    pub fn form(&self) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let parameters = self.parameters().into_iter();
        let written = parameters.map(|(name, value)| encoded(&name) + "=" + &encoded(&value));
        written.collect::<Vec<String>>().join("&")
    }

    /// The type in the URL; none for a search of the whole server.
    pub fn path(&self) -> &'static str {
        match self.types[..] {
            [kind] => kind,
            _ => "",
        }
    }

    /// The same for a server at another base URL.
    pub fn moved(mut self, from: &str, to: &str) -> Query {
        let values = self.criteria.iter_mut().flat_map(|criterion| &mut criterion.values);
        values.for_each(|value| *value = value.replace(from, to));
        self
    }

    /// The criterion that says from where the nearest matches come first.
    pub fn near(&self) -> Option<&Criterion> {
        let is_place =
            |one: &&Criterion| one.name == "near" && one.links.is_empty() && one.modifier.is_none();
        self.criteria.iter().find(is_place)
    }

    /// The order that the matches must have.
    pub fn order(&self) -> Option<Sort> {
        let nearest = || self.near().map(|_| Sort { name: "near", is_descending: false });
        self.sort.clone().or_else(nearest)
    }

    /// False where it is ordered by a distance from nowhere.
    pub fn is_answered(&self) -> bool {
        self.near().is_some() || self.sort.as_ref().is_none_or(|sort| sort.name != "near")
    }

    /// As a human reads it.
    pub fn readable(&self) -> String {
        let parameters = self.parameters().into_iter();
        let written = parameters.map(|(name, value)| name + "=" + &value);
        format!("{}?{}", self.path(), written.collect::<Vec<String>>().join("&"))
    }
}

impl Criterion {
    fn parameter(&self) -> (String, String) {
        let mut name = String::new();
        for link in &self.links {
            match link {
                Link::Chain { name: by, target: None } => name += &format!("{by}."),
                Link::Chain { name: by, target: Some(kind) } => name += &format!("{by}:{kind}."),
                Link::Has { kind, name: by } => name += &format!("_has:{kind}:{by}:"),
            }
        }
        name += self.name;
        if let Some(modifier) = self.modifier {
            name += &format!(":{modifier}");
        }
        (name, self.values.join(","))
    }
}

impl Include {
    fn parameter(&self) -> (String, String) {
        let name = if self.is_reverse { "_revinclude" } else { "_include" };
        let name = if self.is_iterated { format!("{name}:iterate") } else { name.to_owned() };
        let Some(source) = self.source else { return (name, "*".to_owned()) };
        let mut value = format!("{source}:{}", self.name.unwrap_or("*"));
        if let Some(target) = self.target {
            value += &format!(":{target}");
        }
        (name, value)
    }
}
