use super::super::{ErrorClass, Expression, referenced_type};
use super::*;
use crate::fhir::definitions::ResourceType;
use chrono::{TimeZone, Utc};
use proptest::prelude::*;
use serde_json::json;

fn evaluate_in(context: &Context<'_>, source: &str, root: &Value) -> Result<Vec<Value>> {
    let expression = Expression::parse(source)?;
    let items = expression.evaluate(context, root)?;
    Ok(items.iter().map(Item::to_value).collect())
}

fn values(source: &str, root: &Value) -> Vec<Value> {
    evaluate_in(&Context::default(), source, root).unwrap()
}

fn class(source: &str, root: &Value) -> Option<ErrorClass> {
    evaluate_in(&Context::default(), source, root).err().map(|error| error.class)
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p", "birthDate": "1974-12",
        "_birthDate": {"extension": [{"url": "u", "valueInteger": 1}]},
        "name": [{"given": ["Ann", null], "_given": [null, {"id": "x"}]}, {"family": "B"}]})
}

#[test]
fn a_primitive_and_its_element_are_one_node() {
    let root = patient();
    assert_eq!(values("name.given.count()", &root), [json!(2)]);
    assert_eq!(values("name.given.select(hasValue())", &root), [json!(true), json!(false)]);
    assert_eq!(values("name.given[1].id", &root), [json!("x")]);
    assert_eq!(values("birthDate.extension('u').value", &root), [json!(1)]);
    assert_eq!(values("birthDate.children().count()", &root), [json!(1)]);
    assert_eq!(values("name.given.where($this = 'Ann').exists()", &root), [json!(true)]);
}

#[test]
fn dates_of_different_precision_compare_only_as_far_as_both_are_known() {
    let root = patient();
    assert!(values("birthDate < @1974-12-25", &root).is_empty());
    assert_eq!(values("birthDate < @1975-01-01", &root), [json!(true)]);
    assert!(values("@2012-04-15T15:00:00Z = @2012-04-15T10:00:00", &root).is_empty());
    assert_eq!(values("@2012-04-15T15:00:00Z > @2012-04-13T10:00:00", &root), [json!(true)]);
    assert_eq!(values("@2020-01-31 + 1 month", &root), [json!("2020-02-29")]);
    assert_eq!(values("@2020 + 13 months", &root), [json!("2021")]);
    assert_eq!(values("@T23:30 + 1 hour", &root), [json!("00:30")]);
    assert_eq!(class("@2020-02-30T10:00:00.5Z", &root), Some(ErrorClass::Syntax));
}

#[test]
fn decimals_are_exact() {
    let root = json!({"resourceType": "Observation", "valueQuantity": {"value": 0.1}});
    assert_eq!(values("value.value + 0.2 = 0.3", &root), [json!(true)]);
    assert_eq!(values("0.1 + 0.2", &root)[0].to_string(), "0.3");
    assert_eq!(values("1.10.toString()", &root), [json!("1.10")]);
    assert!(values("79228162514264337593543950335.0 * 10", &root).is_empty());
    assert!(values("9223372036854775807 + 1", &root).is_empty());
}

#[test]
fn quantities_compare_across_units() {
    let root = json!({"resourceType": "Observation", "valueQuantity":
        {"value": 1500, "unit": "milli", "system": "http://unitsofmeasure.org", "code": "mg"}});
    assert_eq!(values("value > 1 'g'", &root), [json!(true)]);
    assert_eq!(values("value = 1.5 'g'", &root), [json!(true)]);
    assert!(values("value > 1 's'", &root).is_empty());
    assert_eq!(values("1 year = 12 months", &root), [json!(true)]);
    assert!(values("1 year = 365 days", &root).is_empty());
}

#[test]
fn a_reference_resolves_within_the_document_or_to_a_type() {
    let root = json!({"resourceType": "Observation",
        "contained": [{"resourceType": "Patient", "id": "c", "active": true}],
        "subject": {"reference": "#c"}, "performer": [{"reference": "Practitioner/1"}]});
    assert_eq!(values("subject.resolve().active", &root), [json!(true)]);
    assert_eq!(values("performer.resolve() is Practitioner", &root), [json!(true)]);
    assert_eq!(values("performer.where(resolve() is Patient).count()", &root), [json!(0)]);
    let bundle = json!({"resourceType": "Bundle", "entry": [
        {"fullUrl": "http://a/Patient/1", "resource": {"resourceType": "Patient", "id": "1"}},
        {"fullUrl": "urn:uuid:2", "resource": {"resourceType": "Observation",
            "subject": {"reference": "Patient/1"}, "focus": [{"reference": "urn:uuid:2"}]}}]});
    assert_eq!(values("entry.resource.ofType(Observation).subject.resolve().id", &bundle), ["1"]);
    assert_eq!(
        values("entry.resource.ofType(Observation).focus.resolve() is Observation", &bundle),
        [json!(true)]
    );
    assert_eq!(referenced_type("Patient/1"), ResourceType::parse("Patient"));
}

#[test]
fn variables_name_the_resource_its_container_and_the_start() {
    let root = json!({"resourceType": "Patient", "id": "outer",
        "contained": [{"resourceType": "Patient", "id": "inner", "name": [{"family": "A"}]}]});
    let contained = &root["contained"][0];
    let context = Context { resource: Some(contained), ..Context::default() };
    let expression =
        Expression::parse("%resource.id | %rootResource.id | %context.name.family").unwrap();
    let items = expression.evaluate_at(&context, &root, Node::of_resource(contained)).unwrap();
    let found: Vec<_> = items.iter().map(Item::to_value).collect();
    assert_eq!(found, ["inner", "outer", "A"]);
    assert_eq!(class("%unknown", &root), Some(ErrorClass::Execution));
    let one = vec![Item::System(System::Integer(1))];
    let context = Context { variables: vec![("mine", one)], ..Context::default() };
    assert_eq!(evaluate_in(&context, "%mine + 1", &root).unwrap(), [json!(2)]);
}

#[test]
fn unknown_elements_are_empty_unless_checked() {
    let root = patient();
    assert!(values("Patient.nme", &root).is_empty());
    let strict = Context { mode: Mode::Strict, ..Context::default() };
    let error = evaluate_in(&strict, "Patient.nme", &root).unwrap_err();
    assert_eq!(error.class, ErrorClass::Semantic);
    assert!(evaluate_in(&strict, "Patient.name.where(family = 'B').given", &root).is_ok());
}

#[test]
fn work_is_limited() {
    let codes: Vec<String> = (0..2_000).map(|number| format!("c{number}")).collect();
    let root = json!({"resourceType": "Patient", "name": [{"given": codes}]});
    assert_eq!(values("name.given.isDistinct()", &root), [json!(true)]);
    let square = "name.given.select(%resource.name.given.count()).count()";
    assert_eq!(class(square, &root), Some(ErrorClass::TooCostly));
    assert_eq!(class("1.repeat($this + 1)", &root), Some(ErrorClass::TooCostly));
    let doubling = "'aaaaaaaaaa'".to_owned() + &".replace('a', 'aaaaaaaaaa')".repeat(9);
    assert_eq!(class(&doubling, &root), Some(ErrorClass::TooCostly));
}

#[test]
fn nested_calls_fit_the_stack() {
    let root = patient();
    let nested = (0..63).fold("1".to_owned(), |inner, _| format!("(1).select(1 + {inner})"));
    assert!(Expression::parse(&nested).unwrap().evaluate(&Context::default(), &root).is_ok());
}

#[test]
fn nested_operators_fit_the_stack() {
    let ladder = "1 implies 1 or 1 and 1 in 1 = 1 < 1 | 1 + 1 * ";
    let nested = (0..60).fold("1".to_owned(), |inner, _| format!("{ladder}({inner})"));
    let parsed = Expression::parse(&nested);
    assert!(parsed.is_err_and(|error| error.class == ErrorClass::TooCostly));
}

#[test]
fn long_sums_fit_the_stack() {
    let long = vec!["1"; 120].join(" + ");
    assert_eq!(values(&long, &patient()), [json!(120)]);
}

#[test]
fn the_time_comes_from_the_context() {
    let instant = Utc.with_ymd_and_hms(2020, 2, 29, 12, 30, 0).unwrap();
    let context = Context { clock: Clock::Fixed(instant), ..Context::default() };
    let found = evaluate_in(&context, "now() | today() | timeOfDay()", &patient()).unwrap();
    assert_eq!(found, ["2020-02-29T12:30:00.000Z", "2020-02-29", "12:30:00.000"]);
}

struct Known;

impl Knowledge for Known {
    fn conforms_to(&self, _: &Node<'_>, profile: &str) -> Option<bool> {
        (profile == "http://a/p").then_some(true)
    }

    fn member_of(&self, node: &Node<'_>, value_set: &str) -> Option<bool> {
        (value_set == "http://a/v").then(|| node.value() == Some(&json!("male")))
    }

    fn subsumes(&self, _: &str, ancestor: &str, code: &str) -> Option<bool> {
        Some(code.starts_with(ancestor))
    }
}

#[test]
fn what_only_the_server_knows_is_asked_for() {
    let root = json!({"resourceType": "Patient", "gender": "male",
        "meta": {"tag": [{"system": "s", "code": "a"}, {"system": "s", "code": "ab"}]}});
    let context = Context { knowledge: Some(&Known), ..Context::default() };
    let of = |source| evaluate_in(&context, source, &root);
    assert_eq!(of("conformsTo('http://a/p')").unwrap(), [json!(true)]);
    assert!(of("conformsTo('http://a/q')").is_err());
    assert_eq!(of("gender.memberOf('http://a/v')").unwrap(), [json!(true)]);
    assert!(of("gender.memberOf('http://a/w')").unwrap().is_empty());
    assert_eq!(of("meta.tag[0].subsumes(%resource.meta.tag[1])").unwrap(), [json!(true)]);
    assert_eq!(of("meta.tag[0].subsumedBy(%resource.meta.tag[1])").unwrap(), [json!(false)]);
}

#[test]
fn an_invariant_that_cannot_be_decided_holds() {
    let root = patient();
    let holds = |source| {
        let expression = Expression::parse(source).unwrap();
        expression.evaluate_boolean(&Context::default(), &root, Node::of_resource(&root))
    };
    assert!(holds("name.exists()").unwrap());
    assert!(!holds("name.empty()").unwrap());
    assert!(holds("{}").unwrap());
    assert!(holds("name.given or name.family").is_err());
}

fn is_shareable<T: Send + Sync>() {}

#[test]
fn expressions_and_programs_are_shared_between_threads() {
    is_shareable::<Expression>();
    is_shareable::<super::super::Program>();
}

const WORDS: [&str; 47] = [
    "Patient",
    "name",
    "given",
    "birthDate",
    ".",
    ".",
    ".",
    "(",
    ")",
    "[",
    "]",
    "{}",
    "|",
    "+",
    "-",
    "*",
    "/",
    "=",
    "~",
    "<",
    "and",
    "or",
    "is",
    "as",
    "in",
    "div",
    "mod",
    "1",
    "0",
    "-1",
    "2.5",
    "'a'",
    "''",
    "@2020-02",
    "@T10:30",
    "1 'mg'",
    "3 days",
    "where($this = 'a')",
    "first()",
    "count()",
    "substring(1, -1)",
    "lowBoundary(3)",
    "round(40)",
    "power(99)",
    "toQuantity()",
    "repeat(children())",
    "%resource",
];

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
        let _ = Expression::parse(&text);
    }

    #[test]
    fn no_expression_makes_the_evaluation_panic(
        words in prop::collection::vec(prop::sample::select(&WORDS[..]), 1..12),
        is_apart in any::<bool>(),
    ) {
        let source = words.join(if is_apart { " " } else { "" });
        let root = patient();
        if let Ok(expression) = Expression::parse(&source) {
            let context = Context::default();
            let _ = expression.evaluate(&context, &root).map(|items| items.len());
        }
    }
}
