//! SMART scopes: <https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html>.
//!
//! Resource scopes of version 2 (`patient/Observation.rs?category=...`) and of version 1
//! (`patient/Observation.read`) have one form here. A granted string keeps the form it was asked
//! in.

mod bounds;
pub mod launch_context;

use crate::access::rows::granular::ScopeQuery;
use crate::fhir::definitions::ResourceType;
use std::fmt;
use std::sync::Arc;

/// Bytes of all scopes of one request.
pub const MOST_BYTES: usize = 16 << 10;

/// What a scope lets a client do with a resource type: some of `c`, `r`, `u`, `d`, `s`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct Letters(u8);

impl Letters {
    pub const CREATE: Letters = Letters(1);
    pub const READ: Letters = Letters(2);
    pub const UPDATE: Letters = Letters(4);
    pub const DELETE: Letters = Letters(8);
    pub const SEARCH: Letters = Letters(16);
    pub const ALL: Letters = Letters(31);
    pub const NONE: Letters = Letters(0);

    const ORDER: [(char, Letters); 5] = [
        ('c', Letters::CREATE),
        ('r', Letters::READ),
        ('u', Letters::UPDATE),
        ('d', Letters::DELETE),
        ('s', Letters::SEARCH),
    ];

    /// Of version 2, in the order `cruds` and each at most once; None for anything else.
    pub fn parse(text: &str) -> Option<Letters> {
        let mut letters = Letters::NONE;
        let mut rest = Letters::ORDER.iter();
        for letter in text.chars() {
            letters = letters.with(rest.find(|(known, _)| *known == letter)?.1);
        }
        (letters != Letters::NONE).then_some(letters)
    }

    pub const fn with(self, other: Letters) -> Letters {
        Letters(self.0 | other.0)
    }

    /// What is in both.
    pub const fn and(self, other: Letters) -> Letters {
        Letters(self.0 & other.0)
    }

    /// Each of them alone.
    pub fn each(self) -> impl Iterator<Item = Letters> {
        Letters::ORDER.into_iter().map(|(_, letter)| letter).filter(move |one| self.has(*one))
    }

    /// True where all of `wanted` are in it.
    pub const fn has(self, wanted: Letters) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

impl fmt::Display for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = Letters::ORDER.iter().filter(|(_, letter)| self.has(*letter));
        letters.try_for_each(|(letter, _)| write!(f, "{letter}"))
    }
}

/// Whose data a resource scope is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Level {
    /// That of the patient in context.
    Patient,
    /// What the user may see.
    User,
    /// What the client may see, without a user.
    System,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Patient => "patient",
            Level::User => "user",
            Level::System => "system",
        }
    }
}

/// `patient/Observation.rs?category=laboratory`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ResourceScope {
    pub level: Level,
    /// None for `*`.
    pub resource_type: Option<ResourceType>,
    pub letters: Letters,
    /// Decoded search parameters that narrow it, as written after `?`; None for none.
    pub query: Option<String>,
    /// True where it was written as in version 1, which is how it is granted then.
    pub is_v1: bool,
}

impl ResourceScope {
    /// None for what is no resource scope, and for a type that R4 does not have.
    pub fn parse(text: &str) -> Option<ResourceScope> {
        let (place, query) = match text.split_once('?') {
            Some((_, "")) => return None,
            Some((place, query)) => (place, Some(query.to_owned())),
            None => (text, None),
        };
        let (level, rest) = place.split_once('/')?;
        let level = match level {
            "patient" => Level::Patient,
            "user" => Level::User,
            "system" => Level::System,
            _ => return None,
        };
        let (name, letters) = rest.split_once('.')?;
        let resource_type = match name {
            "*" => None,
            name => Some(ResourceType::parse(name)?),
        };
        let v1 = match letters {
            "read" => Some(Letters::READ.with(Letters::SEARCH)),
            "write" => Some(Letters::CREATE.with(Letters::UPDATE).with(Letters::DELETE)),
            "*" => Some(Letters::ALL),
            _ => None,
        };
        let is_v1 = v1.is_some();
        if is_v1 && query.is_some() {
            return None;
        }
        let letters = v1.or_else(|| Letters::parse(letters))?;
        Some(ResourceScope { level, resource_type, letters, query, is_v1 })
    }

    /// True where it is about resources of this type.
    pub fn is_of(&self, resource_type: ResourceType) -> bool {
        self.resource_type.is_none_or(|own| own == resource_type)
    }
}

impl fmt::Display for ResourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.resource_type.map_or("*", ResourceType::name);
        write!(f, "{}/{name}.", self.level.as_str())?;
        let v1_read = Letters::READ.with(Letters::SEARCH);
        match self.is_v1 {
            true if self.letters == Letters::ALL => f.write_str("*")?,
            true if self.letters == v1_read => f.write_str("read")?,
            true if !self.letters.has(Letters::READ) => f.write_str("write")?,
            _ => write!(f, "{}", self.letters)?,
        }
        self.query.iter().try_for_each(|query| write!(f, "?{query}"))
    }
}

/// One scope of a request or grant.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    Resource(ResourceScope),
    /// `openid`, `fhirUser`, `launch`, `launch/patient`, `offline_access` and those of this server
    /// (`__bhn.*`): known to whoever grants them.
    Other(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Resource(scope) => write!(f, "{scope}"),
            Scope::Other(name) => f.write_str(name),
        }
    }
}

/// The scopes of a grant, each once, in the order given.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Scopes {
    all: Vec<Scope>,
    /// Of those with search parameters, once they are planned.
    queries: Vec<Arc<ScopeQuery>>,
}

impl Scopes {
    /// Scopes apart by spaces (RFC 6749, 3.3). What looks like a resource scope and is none is left
    /// out. None where characters stand in it that no scope has, or it is too long.
    pub fn parse(text: &str) -> Option<Scopes> {
        let is_allowed = |byte: u8| matches!(byte, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if text.len() > MOST_BYTES || !text.bytes().all(is_allowed) {
            return None;
        }
        let mut scopes = Scopes::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let scope = match ResourceScope::parse(word) {
                Some(scope) => Scope::Resource(scope),
                None if looks_like_resource(word) => continue,
                None => Scope::Other(word.to_owned()),
            };
            scopes.push(scope);
        }
        Some(scopes)
    }

    pub fn push(&mut self, scope: Scope) {
        if !self.all.contains(&scope) {
            self.all.push(scope);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.all.iter()
    }

    pub fn resources(&self) -> impl Iterator<Item = &ResourceScope> {
        self.all.iter().filter_map(|scope| match scope {
            Scope::Resource(scope) => Some(scope),
            Scope::Other(_) => None,
        })
    }

    /// True for a scope that is not about resources: `has("openid")`.
    pub fn has(&self, name: &str) -> bool {
        self.all.iter().any(|scope| matches!(scope, Scope::Other(own) if own == name))
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The same with these queries planned.
    pub fn with_queries(self, queries: Vec<Arc<ScopeQuery>>) -> Scopes {
        Scopes { queries, ..self }
    }

    /// Types and queries that are not planned.
    pub fn unplanned(&self) -> Vec<(ResourceType, &str)> {
        let asked = self
            .resources()
            .filter_map(|scope| Some((scope.resource_type?, scope.query.as_deref()?)));
        let mut asked: Vec<_> =
            asked.filter(|(kind, text)| self.planned(*kind, text).is_none()).collect();
        asked.dedup();
        asked
    }

    pub(in crate::access) fn planned(
        &self,
        resource_type: ResourceType,
        text: &str,
    ) -> Option<&Arc<ScopeQuery>> {
        let is_it = |one: &&Arc<ScopeQuery>| one.resource_type == resource_type && one.text == text;
        self.queries.iter().find(is_it)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Scopes {
        let mut all = Scopes::default();
        scopes.into_iter().for_each(|scope| all.push(scope));
        all
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.all.iter().enumerate() {
            f.write_str(if index > 0 { " " } else { "" })?;
            write!(f, "{scope}")?;
        }
        Ok(())
    }
}

/// `patient/`, `user/` and `system/` in any case: never a scope of another kind.
fn looks_like_resource(word: &str) -> bool {
    let level = word.split_once('/').map(|(level, _)| level.to_ascii_lowercase());
    level.is_some_and(|level| ["patient", "user", "system"].contains(&level.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        Scopes::parse(text).map_or_else(|| "refused".to_owned(), |scopes| scopes.to_string())
    }

    #[test]
    fn a_granted_scope_reads_as_it_was_asked() {
        let asked = "openid fhirUser launch/patient patient/Observation.rs patient/*.read \
                     user/Patient.cruds system/*.* user/Condition.write \
                     patient/Observation.rs?category=laboratory __bhn.ops";
        assert_eq!(parsed(asked), asked);
    }

    #[test]
    fn letters_stand_in_their_order_and_once() {
        for wrong in [".dus", ".rr", ".sr", ".", ".read.write", ".cruds?", ".crudsx", ".Read"] {
            assert_eq!(parsed(&format!("patient/Observation{wrong}")), "", "{wrong}");
        }
    }

    #[test]
    fn what_looks_like_a_resource_scope_and_is_none_is_left_out() {
        for wrong in
            ["patient/Foo.rs", "Patient/*.rs", "patient/observation.rs", "user/", "system/x"]
        {
            assert_eq!(parsed(wrong), "", "{wrong}");
        }
        assert_eq!(parsed("patient/Observation.read?code=1"), "");
        assert_eq!(parsed("a\nb"), "refused");
        assert_eq!(parsed(&"patient/*.rs ".repeat(4_000)), "refused");
    }

    #[test]
    fn version_1_means_letters_of_version_2() {
        let letters = |text| ResourceScope::parse(text).unwrap().letters.to_string();
        assert_eq!(letters("patient/Observation.read"), "rs");
        assert_eq!(letters("patient/Observation.write"), "cud");
        assert_eq!(letters("patient/Observation.*"), "cruds");
    }
}
