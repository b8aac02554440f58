use super::*;
use crate::fhir::resource::ResourceKey;
use crate::search::index_rows::Token;
use crate::search::value::token::TokenTest;
use chrono::FixedOffset;
use std::sync::OnceLock;

fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::r4().unwrap())
}

pub(super) fn plan_in(scope: &SearchScope, query: &str, handling: Handling) -> Result<Plan> {
    let base_url = "http://localhost/fhir".to_owned();
    let settings = IndexSettings {
        zone: FixedOffset::east_opt(0).unwrap(),
        base_url,
        indexes_content: true,
        link_days: Default::default(),
    };
    let planner = Planner {
        registry: registry(),
        limits: &Limits::default(),
        settings: &settings,
        now: "2024-01-01T00:00:00Z".parse().unwrap(),
    };
    let pairs: Vec<Parameter> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    planner.plan(scope, &pairs, handling)
}

pub(super) fn of(name: &str) -> SearchScope {
    SearchScope::Type(ResourceType::parse(name).unwrap())
}

pub(super) fn plan(kind: &str, query: &str) -> Result<Plan> {
    plan_in(&of(kind), query, Handling::Strict)
}

pub(super) fn message(kind: &str, query: &str) -> String {
    match plan(kind, query) {
        Ok(plan) => panic!("{query} is planned as {plan:?}"),
        Err(error) => {
            assert_eq!(error.kind.status(), 400, "{query}");
            format!("{error}")
        }
    }
}

#[test]
fn an_unknown_parameter_is_named_with_its_neighbours_or_left_out_with_a_warning() {
    let text = message("Patient", "famly=x");
    assert!(text.contains("'famly'") && text.contains("family"), "{text}");
    let plan = plan_in(&of("Patient"), "famly=x&gender=male", Handling::Lenient).unwrap();
    assert_eq!(plan.clauses.len(), 1);
    assert_eq!(plan.issues.len(), 1);
    assert_eq!(plan.applied(), [("gender".to_owned(), "male".to_owned())]);
}

#[test]
fn what_is_not_offered_is_refused_by_name() {
    for query in [
        "subject.nothing=a",
        "_has:Group:member=1",
        "_include:exact=*",
        "_list:not=1",
        "subject:in=http://v",
        "subject:text=a",
        "code-value-quantity:missing=true",
        "date:exact=2020",
        "_sort=code-value-quantity",
        "_sort=-_text",
        "_sort=nothing",
        "_sort=date:exact",
        "subject:Nothing=1",
        "code:missing:not=true",
    ] {
        let text = message("Observation", query);
        assert!(text.contains("not-supported"), "{query}: {text}");
    }
}

#[test]
fn a_value_that_cannot_be_read_is_refused_in_lenient_handling_too() {
    for query in [
        "date=yesterday",
        "date=2020-13",
        "value-quantity=abc",
        "value-quantity=1e400",
        "code=a,,b",
        "code:missing=yes",
        "_count=-1",
        "_count=x",
        "_sort=date,-date",
        "_sort=date,",
        "_total=many",
        "subject=a b",
        "code-value-quantity=a",
        "_lastUpdated=x",
        "_id=a\0b",
        "value-string=%20",
    ] {
        if query == "value-string=%20" {
            continue;
        }
        let error = plan_in(&of("Observation"), query, Handling::Lenient).unwrap_err();
        assert_eq!(error.kind.status(), 400, "{query}");
    }
}

#[test]
fn limits_are_too_costly() {
    let values = vec!["a"; 1_000].join(",");
    assert!(message("Patient", &format!("gender={values}")).contains("too-costly"));
    // Over 26,000 ways from type to type.
    let chain = "target.based-on.based-on.based-on.based-on.status";
    for query in [format!("{chain}=a"), format!("_filter={chain} eq a or {chain} eq b")] {
        assert!(message("Provenance", &query).contains("too-costly"), "{query}");
    }
    let parameters = vec!["gender=male"; 65].join("&");
    assert!(message("Patient", &parameters).contains("too-costly"));
}

#[test]
fn a_link_counts_as_often_as_the_statement_has_it() {
    // What a link leads to is there for resources and for contained ones: 31 ways each.
    let of =
        |count: usize| vec!["part-of.part-of.part-of.part-of.part-of.status=a"; count].join("&");
    assert!(plan("Encounter", &of(32)).is_ok());
    assert!(message("Encounter", &of(33)).contains("too-costly"));
}

#[test]
fn permuted_criteria_are_one_lock_and_one_identifier_is_one_lock_for_all_criteria() {
    let normal = |query| plan("Patient", query).unwrap().normalised();
    assert_eq!(
        normal("identifier=urn:mrn|7,urn:mrn|8&gender=male&_count=3"),
        normal("gender=male&identifier=urn:mrn|8,urn:mrn|7&_sort=name")
    );
    assert_ne!(normal("gender=male"), normal("gender:not=male"));
    let reference = |query| plan("Observation", query).unwrap().normalised();
    assert_eq!(reference("subject=Patient/1"), reference("subject:Patient=1"),);
    let locks = |query| plan("Patient", query).unwrap().lock_keys();
    let (a, b) = (locks("identifier=urn:mrn|7"), locks("identifier=urn:mrn|7&gender=male"));
    assert!(a.is_sorted() && a.len() == 2);
    assert_eq!(a.iter().filter(|key| b.contains(key)).count(), 1);
}

#[test]
fn parameters_become_typed_predicates() {
    let first = |kind: &str, query: &str| plan(kind, query).unwrap().clauses[0].clone();
    let Predicate::Token { test, leads, .. } =
        first("Observation", "code=http://loinc.org|1-8").alternatives[0].clone()
    else {
        panic!("a token")
    };
    let token = Token { system: "http://loinc.org".into(), code: "1-8".into() };
    assert_eq!(
        (test, leads),
        (TokenTest::Exact(token), vec![ResourceType::parse("Observation").unwrap()])
    );
    let patient = ResourceKey::parse("Patient/1").unwrap();
    for (query, expected) in
        [("patient=1", true), ("patient=Patient/1", true), ("performer=Patient/1", false)]
    {
        let clause = first("Observation", query);
        let Predicate::Reference { targets, is_subject, .. } = &clause.alternatives[0] else {
            panic!("a reference")
        };
        assert!(targets.contains(&patient));
        assert_eq!(*is_subject, expected, "{query}");
    }
    assert!(matches!(
        first("Patient", "identifier=a|b").alternatives[0],
        Predicate::Identifier { .. }
    ));
    assert!(matches!(
        first("Observation", "subject:identifier=a|b").alternatives[0],
        Predicate::Identifier { .. }
    ));
    assert!(first("Patient", "gender:not=male").is_negated);
    let Predicate::Date { main, .. } = first("Observation", "date=ge2020").alternatives[0].clone()
    else {
        panic!("a date")
    };
    assert_eq!(main.len(), 1);
    let combination = first("Observation", "combo-code-value-quantity=a$5");
    assert!(matches!(
        combination.alternatives[..],
        [Predicate::Both(_), Predicate::Composite { .. }]
    ));
    assert!(matches!(
        first("Patient", "_id=no such id").alternatives[..],
        [Predicate::Always(false)]
    ));
}

#[test]
fn several_types_share_only_common_parameters() {
    let both = plan_in(&SearchScope::System, "_type=Patient,Observation&_tag=a", Handling::Strict);
    assert_eq!(both.unwrap().types.len(), 2);
    assert!(plan_in(&SearchScope::System, "code=a", Handling::Strict).is_err());
    assert!(plan_in(&SearchScope::System, "_type=Nothing", Handling::Strict).is_err());
    let common = "_type=Observation,Condition&code=a";
    assert!(plan_in(&SearchScope::System, common, Handling::Strict).is_ok());
}

#[test]
fn a_compartment_is_a_clause_of_its_own() {
    let key = ResourceKey::parse("Patient/1").unwrap();
    let kind = |name| ResourceType::parse(name);
    let within = |kind| plan_in(&SearchScope::Compartment(key.clone(), kind), "", Handling::Strict);
    let plan = within(kind("Observation")).unwrap();
    let Predicate::Compartment { members, .. } = &plan.clauses[0].alternatives[0] else {
        panic!("a compartment")
    };
    assert_eq!(members[0].1.len(), 2, "subject and performer");
    assert!(within(None).unwrap().types.len() > 50);
    assert!(within(kind("Practitioner")).is_err());
}

#[test]
fn the_page_is_bounded_and_the_self_link_says_what_was_applied() {
    let plan = plan("Patient", "_count=5000&name=a&_total=accurate").unwrap();
    assert_eq!((plan.count, plan.total), (1_000, Total::Accurate));
    assert_eq!(plan.applied()[0], ("_count".to_owned(), "1000".to_owned()));
    let none = super::tests::plan("Patient", "_count=0").unwrap();
    assert_eq!((none.count, none.total), (0, Total::Accurate));
}
