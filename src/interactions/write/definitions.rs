//! Writes of SearchParameter resources change what can be searched by, with the write:
//! <https://hl7.org/fhir/R4/searchparameter.html>.

use super::WriteSet;
use super::draft::{Draft, Step};
use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use crate::interactions::context::Context;
use crate::search::{Definition, Registry, is_of_r4};
use crate::storage::DefinitionChange;

const TYPE: &str = "SearchParameter";

/// What the steps of a set do to the search parameters. 422 where an active SearchParameter is
/// none that the server can search by, or takes a name or URL that is taken; 403 for a caller who
/// may not change them.
pub fn changes(context: &Context, set: &WriteSet, steps: &[Step]) -> Result<Vec<DefinitionChange>> {
    let of_draft = |draft: &&Draft| draft.key.resource_type.name() == TYPE;
    let leaving: Vec<_> =
        super::drafts(steps).filter(of_draft).map(|draft| &draft.key.id).collect();
    if leaving.is_empty() {
        return Ok(Vec::new());
    }
    let (mut changes, mut coming) = (Vec::new(), Vec::new());
    for (write, step) in set.writes.iter().zip(steps) {
        for draft in super::drafts(std::slice::from_ref(step)).filter(of_draft) {
            let wanted = wanted(draft).and_then(|wanted| {
                let Some(wanted) = &wanted else { return Ok(None) };
                let issues = context.registry.conflicts(wanted, &leaving, &coming);
                refused(issues).map(|()| Some(wanted.clone()))
            });
            let wanted = wanted.map_err(|error| write.placed(error))?;
            changes.extend(change(&context.registry, draft, wanted.as_ref()));
            coming.extend(wanted);
        }
    }
    let live = context.registry.customs().iter().filter(|custom| custom.is_live());
    let staying = live.filter(|custom| !leaving.contains(&&custom.resource)).count();
    let most = context.settings.limits.custom_parameters;
    if !coming.is_empty() && staying + coming.len() > most {
        let text = format!("This server has at most {most} custom search parameters");
        return Err(FhirError::too_costly(text));
    }
    match changes.is_empty() || set.writes.iter().all(|one| one.permit.may_define_parameters()) {
        true => Ok(changes),
        false => Err(FhirError::new(
            ErrorKind::Forbidden,
            IssueCode::Forbidden,
            "Search parameters are activated and retired by operators",
        )),
    }
}

/// What the resource defines, if it is active and not one of R4's own.
fn wanted(draft: &Draft) -> Result<Option<Definition>> {
    let Some(resource) = &draft.resource else { return Ok(None) };
    let value = resource.value();
    if value["status"] != "active" {
        return Ok(None);
    }
    match is_of_r4(value) {
        Some(true) => Ok(None),
        Some(false) => refused(vec![Issue::error(
            IssueCode::BusinessRule,
            "SearchParameter.url",
            "R4 defines the parameter of this URL, and not so; an active one has a URL of its own",
        )])
        .map(|()| None),
        None => match Definition::read(value) {
            Ok(definition) => Ok(Some(definition)),
            Err(issues) => refused(issues).map(|()| None),
        },
    }
}

fn refused(issues: Vec<Issue>) -> Result<()> {
    match issues.is_empty() {
        true => Ok(()),
        false => Err(FhirError::of_issues(ErrorKind::Unprocessable, issues)),
    }
}

fn change(
    registry: &Registry,
    draft: &Draft,
    wanted: Option<&Definition>,
) -> Vec<DefinitionChange> {
    let known = registry.custom_of(&draft.key.id);
    let retire = known.map(|known| DefinitionChange::Retire(known.id));
    let Some(wanted) = wanted else { return retire.into_iter().collect() };
    let text = wanted.text().to_owned();
    if let Some(known) = known.filter(|known| known.definition.has_rows_of(wanted)) {
        let is_same = known.definition.text() == wanted.text();
        let parameter = known.id;
        let redefine = (!is_same).then_some(DefinitionChange::Redefine { parameter, text });
        return redefine.into_iter().collect();
    }
    let add = DefinitionChange::Add {
        resource: draft.key.id.clone(),
        url: wanted.url.clone(),
        code: wanted.code.clone(),
        text,
        bases: wanted.bases.clone(),
    };
    retire.into_iter().chain([add]).collect()
}
