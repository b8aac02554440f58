//! Scopes for further context of a standalone launch: `launch/imagingstudy`, with `?role=` where it
//! has another role than being launched (SMART App Launch 2.2, `fhirContext`).

use crate::fhir::definitions::ResourceType;
use percent_encoding::percent_decode_str;

/// A resource that an application asks to be told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaunchContext {
    pub resource_type: ResourceType,
    /// A URI, or a word of SMART; None for `launch`.
    pub role: Option<String>,
}

impl LaunchContext {
    /// None for other scopes, and for a role that is neither `launch` nor an absolute URI.
    /// Patient and Encounter have scopes of their own.
    pub fn parse(scope: &str) -> Option<LaunchContext> {
        let rest = scope.strip_prefix("launch/")?;
        let (name, query) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
        let is_lower = name.bytes().all(|byte| byte.is_ascii_lowercase());
        if !is_lower || ["patient", "encounter"].contains(&name) {
            return None;
        }
        let mut types = ResourceType::all();
        let resource_type = types.find(|own| own.name().eq_ignore_ascii_case(name))?;
        let role = match query {
            Some(query) => {
                let role = query.strip_prefix("role=").filter(|role| !role.contains('&'))?;
                let role = percent_decode_str(role).decode_utf8().ok()?.into_owned();
                let is_uri = url::Url::parse(&role).is_ok() && !role.chars().any(char::is_control);
                Some(role).filter(|role| is_uri || role == "launch")
            }
            None => None,
        };
        match (query, &role) {
            (Some(_), None) => None,
            _ => Some(LaunchContext { resource_type, role }),
        }
    }

    /// The scope without its role, as a client is registered with it.
    pub fn plain_scope(&self) -> String {
        format!("launch/{}", self.resource_type.name().to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_of_context_names_a_type_in_lower_case_and_maybe_a_role() {
        let parsed = |text: &str| {
            let context = LaunchContext::parse(text)?;
            Some((context.resource_type.name(), context.role.unwrap_or_default()))
        };
        let questionnaire = |role: &str| Some(("Questionnaire", role.to_owned()));
        assert_eq!(parsed("launch/questionnaire"), questionnaire(""));
        assert_eq!(
            parsed("launch/questionnaire?role=https%3A%2F%2Fx.example%2Fa"),
            questionnaire("https://x.example/a")
        );
        for none in [
            "launch",
            "launch/",
            "launch/patient",
            "launch/encounter?role=x",
            "launch/Questionnaire",
            "launch/questionnaires",
            "launch/questionnaire?",
            "launch/questionnaire?role=",
            "launch/questionnaire?role=a&role=b",
            "launch/questionnaire?other=a",
            "launch/questionnaire?role=%0a",
        ] {
            assert_eq!(parsed(none), None, "{none}");
        }
    }

    #[test]
    fn roles_are_launch_or_absolute_uris() {
        let role = |text: &str| LaunchContext::parse(text).and_then(|context| context.role);
        assert_eq!(role("launch/task?role=launch").as_deref(), Some("launch"));
        assert_eq!(role("launch/task?role=urn%3Aa%3Ab").as_deref(), Some("urn:a:b"));
        for none in ["launch/task?role=x", "launch/task?role=%2Fa", "launch/task?role=a%0Ab:c"] {
            assert_eq!(role(none), None, "{none}");
        }
    }
}
