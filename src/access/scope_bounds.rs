//! What of some scopes is within others: nobody is granted more than is asked, registered and his.

use super::smart_scope::{Letters, ResourceScope, Scope, Scopes};

impl Scopes {
    /// What is in both: each scope as far as `bounds` have it, in its own form where it is whole.
    /// `patient/*.rs` within `patient/Patient.r patient/Observation.rs` is these two.
    pub fn within(&self, bounds: &Scopes) -> Scopes {
        let mut granted = Scopes::default();
        for scope in self.iter() {
            match scope {
                Scope::Other(name) if bounds.has(name) => granted.push(scope.clone()),
                Scope::Other(_) => {}
                Scope::Resource(asked) => {
                    let parts = parts_within(asked, bounds);
                    parts.into_iter().for_each(|part| granted.push(Scope::Resource(part)));
                }
            }
        }
        granted
    }

    /// True where all of it is in `bounds`.
    pub fn is_within(&self, bounds: &Scopes) -> bool {
        self.within(bounds) == *self
    }
}

fn parts_within(asked: &ResourceScope, bounds: &Scopes) -> Vec<ResourceScope> {
    let parts: Vec<ResourceScope> =
        bounds.resources().filter_map(|bound| both(asked, bound)).collect();
    // A bound that has all of it makes the others superfluous.
    match parts.iter().any(|part| part == asked) {
        true => vec![asked.clone()],
        false => parts,
    }
}

fn both(asked: &ResourceScope, bound: &ResourceScope) -> Option<ResourceScope> {
    let resource_type = match (asked.resource_type, bound.resource_type) {
        (Some(asked), Some(bound)) if asked != bound => return None,
        (asked, bound) => asked.or(bound),
    };
    let letters = asked.letters.and(bound.letters);
    if asked.level != bound.level || letters == Letters::NONE {
        return None;
    }
    let query = match (&asked.query, &bound.query) {
        (Some(asked), Some(bound)) if asked != bound => Some(format!("{asked}&{bound}")),
        (asked, bound) => asked.clone().or_else(|| bound.clone()),
    };
    let is_v1 = asked.is_v1 && letters == asked.letters && query.is_none();
    Some(ResourceScope { level: asked.level, resource_type, letters, query, is_v1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(asked: &str, bounds: &str) -> String {
        let (asked, bounds) = (Scopes::parse(asked).unwrap(), Scopes::parse(bounds).unwrap());
        asked.within(&bounds).to_string()
    }

    #[test]
    fn nothing_is_granted_beyond_the_bounds() {
        assert_eq!(within("system/Patient.cruds", "system/Patient.rs"), "system/Patient.rs");
        assert_eq!(within("system/Patient.rs", "system/*.cruds"), "system/Patient.rs");
        assert_eq!(within("system/*.rs", "system/Patient.r user/*.rs"), "system/Patient.r");
        assert_eq!(within("system/Patient.rs", "patient/*.rs user/Patient.rs"), "");
        assert_eq!(within("system/Patient.d", "system/Patient.rs"), "");
        assert_eq!(within("openid launch __bhn.ops", "openid"), "openid");
    }

    #[test]
    fn a_whole_scope_keeps_its_form_and_a_part_is_written_as_in_version_2() {
        assert_eq!(within("patient/*.read", "patient/*.cruds"), "patient/*.read");
        assert_eq!(within("patient/*.read", "patient/*.read"), "patient/*.read");
        assert_eq!(within("patient/*.*", "patient/*.rs"), "patient/*.rs");
    }

    #[test]
    fn queries_narrow_and_never_widen() {
        let narrow = "patient/Observation.rs?category=laboratory";
        assert_eq!(within(narrow, "patient/Observation.rs"), narrow);
        assert_eq!(within("patient/Observation.rs", narrow), narrow);
        assert_eq!(within("patient/*.rs", narrow), narrow);
        let other = "patient/Observation.rs?code=1";
        let both = "patient/Observation.rs?category=laboratory&code=1";
        assert_eq!(within(narrow, other), both);
        let wide = format!("{narrow} patient/Observation.rs");
        assert_eq!(within("patient/Observation.rs", &wide), "patient/Observation.rs");
    }
}
