//! Which scopes this server can grant at all.

use crate::access::Scopes;
use crate::access::smart_scope::{ResourceScope, Scope};
use crate::search::Registry;

/// Those whose search parameters this server has for their type; the others are dropped: to grant
/// them without their parameters would widen them (SMART App Launch 2.2, Finer-grained resource
/// constraints).
pub fn supported(scopes: &Scopes, registry: &Registry) -> Scopes {
    let is_supported = |scope: &&Scope| match scope {
        Scope::Resource(scope) => has_parameters(scope, registry),
        Scope::Other(_) => true,
    };
    scopes.iter().filter(is_supported).cloned().collect()
}

fn has_parameters(scope: &ResourceScope, registry: &Registry) -> bool {
    let Some(query) = &scope.query else { return true };
    // Parameters of all types are another matter than those of one.
    let Some(resource_type) = scope.resource_type else { return false };
    query.split('&').all(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let code = name.split([':', '.']).next().unwrap_or_default();
        !value.is_empty() && registry.parameter(resource_type, code).is_some()
    })
}
