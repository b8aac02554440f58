use super::grammar::{Bounds, Fault, Filter, Step};
use super::operator::OPERATORS;
use crate::fhir::interaction::Handling;
use crate::search::plan::Predicate;
use crate::search::query::tests::{message, of, plan, plan_in};
use proptest::prelude::*;

const BOUNDS: Bounds = Bounds { comparisons: 64, depth: 16 };

fn parsed(text: &str) -> Result<Filter, Fault> {
    Filter::parse(text, BOUNDS).map(|(filter, _)| filter)
}

/// Every group in parentheses, every value in quotes.
fn spelled(filter: &Filter) -> String {
    let joined = |parts: &[Filter], word: &str| {
        let parts: Vec<String> = parts.iter().map(spelled).collect();
        format!("({})", parts.join(word))
    };
    match filter {
        Filter::And(parts) => joined(parts, " and "),
        Filter::Or(parts) => joined(parts, " or "),
        Filter::Not(part) => format!("not ({})", spelled(part)),
        Filter::Comparison(one) => {
            let step = |step: &Step| match &step.filter {
                Some(filter) => format!("{}[{}]", step.name, spelled(filter)),
                None => step.name.clone(),
            };
            let path: Vec<String> =
                std::iter::once(&one.first).chain(&one.rest).map(step).collect();
            let value = serde_json::to_string(&one.value).unwrap();
            format!("{} {} {value}", path.join("."), one.operator.code)
        }
    }
}

fn read(text: &str) -> String {
    parsed(text).map_or_else(|fault| format!("{fault:?}"), |filter| spelled(&filter))
}

#[test]
fn every_published_filter_is_read() {
    // The examples of the page.
    for (text, expected) in [
        (r#"name co "pet""#, r#"name co "pet""#),
        (
            r#"given eq "peter" and birthdate ge 2014-10-10"#,
            r#"(given eq "peter" and birthdate ge "2014-10-10")"#,
        ),
        ("code eq http://loinc.org|1234-5", r#"code eq "http://loinc.org|1234-5""#),
        (r#"subject.name co "pet""#, r#"subject.name co "pet""#),
        (
            r#"related[type eq "has-component"].target pr true"#,
            r#"related[type eq "has-component"].target pr "true""#,
        ),
        (
            "related[type eq has-component].target re Observation/4",
            r#"related[type eq "has-component"].target re "Observation/4""#,
        ),
        // The test cases that HL7's reference implementations share.
        (r#"userName eq "bjensen""#, r#"userName eq "bjensen""#),
        ("name eq loinc|1234", r#"name eq "loinc|1234""#),
        ("name in http://loinc.org/vs/LP234", r#"name in "http://loinc.org/vs/LP234""#),
        ("date ge 2010-10-10", r#"date ge "2010-10-10""#),
        ("code sb snomed|diabetes", r#"code sb "snomed|diabetes""#),
        ("code ss snomed|diabetes-NIDDM-stage-1", r#"code ss "snomed|diabetes-NIDDM-stage-1""#),
        ("related[type eq comp].target pr false", r#"related[type eq "comp"].target pr "false""#),
        (
            "related[type eq comp and this lt that].target pr false",
            r#"related[(type eq "comp" and this lt "that")].target pr "false""#,
        ),
        (
            r#"((userName eq "bjensen") or (userName eq "jdoe")) and (code sb snomed|diabetes)"#,
            r#"((userName eq "bjensen" or userName eq "jdoe") and code sb "snomed|diabetes")"#,
        ),
        ("this eq that and this1 eq that1", r#"(this eq "that" and this1 eq "that1")"#),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn and_and_or_are_read_from_left_to_right_without_precedence() {
    assert_eq!(
        read("a eq 1 or b eq 2 and c eq 3 or d eq 4"),
        r#"(((a eq "1" or b eq "2") and c eq "3") or d eq "4")"#
    );
    assert_eq!(read("a eq 1 or (b eq 2 and c eq 3)"), r#"(a eq "1" or (b eq "2" and c eq "3"))"#);
    assert_eq!(read("not(a eq 1)and b eq 2"), r#"(not (a eq "1") and b eq "2")"#);
    assert_eq!(read("NOT ( not (a EQ 1) )"), r#"not (not (a eq "1"))"#);
}

#[test]
fn values_are_json_strings_or_end_at_a_space_or_closing_bracket() {
    for (text, value) in [
        (r#"a eq "b c)]""#, "b c)]"),
        (r#"a eq "say \"hi\" \\ \u00e9""#, r#"say "hi" \ é"#),
        (r#"a eq "\\""#, r"\"),
        ("a eq b(c[d", "b(c[d"),
        ("a eq b\"c\"", "b\"c\""),
        ("a eq -5.40e-3|http://unitsofmeasure.org|mg", "-5.40e-3|http://unitsofmeasure.org|mg"),
        ("a eq 2014-10-10T10:00:00+01:00", "2014-10-10T10:00:00+01:00"),
        ("a eq é\u{a0}", "é"),
        (r#"a eq """#, ""),
    ] {
        let Ok(Filter::Comparison(found)) = parsed(text) else { panic!("{text}: {}", read(text)) };
        assert_eq!(found.value, value, "{text}");
    }
}

#[test]
fn names_have_the_letters_of_search_parameters_and_of_chains() {
    for text in [
        "_id eq a",
        "general-practitioner re Practitioner/1",
        "subject:Patient.name eq a",
        "_has:Observation:patient:code eq a",
        "a[b eq c].d[e eq f or g eq h].i pr true",
    ] {
        assert!(parsed(text).is_ok(), "{text}: {}", read(text));
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    for (text, at, expected) in [
        ("", 0, "name"),
        ("a", 1, "operator"),
        ("a eq", 4, "value"),
        ("a eq ", 5, "value"),
        ("a like b", 2, "ne co sw"),
        ("1a eq b", 0, "name"),
        ("a.eq b", 5, "operators"),
        ("a. eq b", 2, "name"),
        ("a eq \"b", 5, "JSON"),
        ("a eq \"\\q\"", 5, "JSON"),
        ("a eq \"\\u0000\"", 5, "NUL"),
        ("a eq b c", 7, "and"),
        ("a eq b andc eq d", 7, "and"),
        ("a eq b and", 10, "name"),
        ("(a eq b", 7, ")"),
        ("a eq b)", 6, "end"),
        ("a[b eq c)].d eq e", 8, "]"),
        ("a[b eq c] eq d", 9, "."),
        ("a[].b eq c", 2, "name"),
        ("()", 1, "name"),
        ("not a eq b", 4, "("),
    ] {
        match parsed(text) {
            Err(Fault::Syntax(found, what)) => {
                assert_eq!(found, at, "{text}: {what}");
                assert!(what.contains(expected), "{text}: {what}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_filter_is_bounded_in_size_and_depth() {
    let parts = |count| vec!["gender eq male"; count].join(" or ");
    assert!(parsed(&parts(64)).is_ok());
    assert_eq!(parsed(&parts(65)), Err(Fault::TooManyComparisons));
    let nested = |depth| format!("{}a eq b{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parsed(&nested(16)).is_ok());
    assert_eq!(parsed(&nested(17)), Err(Fault::TooDeep));
    assert_eq!(parsed(&nested(1_000_000)), Err(Fault::TooDeep));
    assert_eq!(parsed(&"a[".repeat(20)), Err(Fault::TooDeep));
    assert!(parsed(&vec!["(a eq b)"; 20].join(" and ")).is_ok(), "beside each other");
    // Over all filters of a query, those within brackets included.
    let half = format!("_filter={}", parts(32));
    assert!(plan("Patient", &format!("{half}&{half}")).is_ok());
    let text = message("Patient", &format!("{half}&{half}&_filter=gender eq male"));
    assert!(text.contains("too-costly") && text.contains("64"), "{text}");
    assert!(message("Patient", &format!("_filter={}", nested(17))).contains("too-costly"));
}

#[test]
fn an_operator_is_for_the_types_of_parameters_that_the_page_gives_it() {
    let of_types = [
        ("Patient", "name", "string", "eq ne co sw ew gt lt ge le pr"),
        ("RiskAssessment", "probability", "number", "eq ne co gt lt ge le ap sa eb pr"),
        ("Patient", "birthdate", "date", "eq ne co gt lt ge le ap sa eb pr po"),
        ("Patient", "gender", "token", "eq ne pr ss sb in ni"),
        ("Observation", "value-quantity", "quantity", "eq ne gt lt ge le ap sa eb pr"),
        ("Patient", "organization", "reference", "pr re"),
        ("ValueSet", "url", "uri", "eq ne pr"),
        ("Observation", "code-value-quantity", "composite", "pr"),
    ];
    for (kind, name, type_name, allowed) in of_types {
        for operator in &OPERATORS {
            let (code, value) = (operator.code, if operator.code == "pr" { "true" } else { "1" });
            let query = format!("_filter={name} {code} {value}");
            let is_allowed = allowed.split(' ').any(|one| one == code);
            match plan(kind, &query).map_err(|error| error.to_string()) {
                Err(text) if !is_allowed => {
                    assert!(text.contains("invalid"), "{query}: {text}");
                    for part in [name, code, type_name] {
                        assert!(text.contains(part), "{query}: {text}");
                    }
                }
                Err(text) => assert!(!text.contains("invalid"), "{query}: {text}"),
                Ok(_) => assert!(is_allowed, "{query}"),
            }
        }
    }
}

#[test]
fn comparisons_are_the_clauses_of_ordinary_parameters() {
    for (kind, filter, ordinary) in [
        ("Patient", "name sw \"a,b\"", r"name=a\,b"),
        ("Patient", "name co pet", "name:contains=pet"),
        ("Patient", "gender eq male", "gender=male"),
        ("Patient", "not (gender eq male)", "gender:not=male"),
        ("Patient", "not (not (gender eq male))", "gender=male"),
        ("Patient", "gender eq male or gender eq other", "gender=male,other"),
        ("Patient", "gender eq male and active eq true", "gender=male&active=true"),
        ("Patient", "birthdate pr true", "birthdate:missing=false"),
        ("Patient", "birthdate ge 2014-10-10", "birthdate=ge2014-10-10"),
        ("Patient", "_lastUpdated lt 2014", "_lastUpdated=lt2014"),
        ("Patient", "_id eq a", "_id=a"),
        ("Patient", "_list eq 42", "_list=42"),
        ("Patient", "organization re Organization/1", "organization=Organization/1"),
        ("Patient", "organization.name sw a", "organization.name=a"),
        ("Observation", "code eq loinc|1-8", "code=http://loinc.org|1-8"),
        ("Observation", "code in http://v", "code:in=http://v"),
        ("Observation", "code ni ValueSet/v", "code:not-in=ValueSet/v"),
        ("Observation", "code ss loinc|1-8", "code:below=http://loinc.org|1-8"),
        ("Observation", "code sb a|b", "code:above=a|b"),
        ("Observation", "subject:Patient.name sw a", "subject:Patient.name=a"),
        (
            "Observation",
            "value-quantity gt 5.4|ucum|mg",
            "value-quantity=gt5.4|http://unitsofmeasure.org|mg",
        ),
        ("Patient", "_has:Observation:patient:code eq a", "_has:Observation:patient:code=a"),
        (
            "Patient",
            "_has:Observation:patient:performer.name sw a",
            "_has:Observation:patient:performer.name=a",
        ),
        ("ValueSet", "url eq http://a", "url=http://a"),
    ] {
        let filtered = plan(kind, &format!("_filter={filter}")).unwrap();
        assert_eq!(filtered.clauses, plan(kind, ordinary).unwrap().clauses, "{filter}");
    }
}

#[test]
fn brackets_ask_of_where_the_name_leads_to() {
    let clauses = |query: &str| plan("Observation", query).unwrap().clauses;
    let found = clauses("_filter=subject[gender eq female and active eq true].name sw a");
    let Predicate::Chain(link) = &found[0].alternatives[0] else { panic!("a chain") };
    assert_eq!(link.types.iter().map(|kind| kind.name()).collect::<Vec<_>>(), ["Patient"]);
    let Predicate::All(all) = &link.clause.alternatives[..][0] else { panic!("all of it") };
    assert_eq!(all.len(), 3);
    let text = message("Observation", "_filter=subject[gender eq a].nothing sw a");
    assert!(text.contains("'nothing'"), "{text}");
    let text = message("Observation", "_filter=subject[gender eq a].device-name sw a");
    assert!(text.contains("'device-name', 'gender'"), "{text}");
}

#[test]
fn an_additional_parameter_is_the_composite_of_its_children_where_r4_has_one() {
    let group = |query: &str| plan("Group", query).unwrap().clauses;
    let composite = group("characteristic-value=http://a|1$true");
    assert_eq!(group("_filter=characteristic[code eq http://a|1].value eq true"), composite);
    assert_eq!(group("_filter=characteristic[value eq true].code eq http://a|1"), composite);
    assert!(plan("Group", "_filter=characteristic eq a").is_ok());
    for (kind, filter, hint) in [
        ("Group", "characteristic[code eq a].value pr true", "[child eq value]"),
        ("Group", "characteristic[code eq a or code eq b].value eq c", "[child eq value]"),
        ("Group", "characteristic[name eq a].value eq c", "value, code"),
        ("Observation", "related[type eq a].target eq b", "related-type and related-target"),
        ("DocumentReference", "relatesTo[code eq a].target eq b", "relation and relatesto"),
    ] {
        let text = message(kind, &format!("_filter={filter}"));
        assert!(text.contains("not-supported") && text.contains(hint), "{filter}: {text}");
    }
}

#[test]
fn permuted_filters_are_one_lock_and_an_identifier_within_is_its_lock() {
    let normal = |query| plan("Patient", query).unwrap().normalised();
    assert_eq!(
        normal("_filter=identifier eq urn:mrn|7 and gender eq male"),
        normal("gender=male&identifier=urn:mrn|7")
    );
    assert_eq!(
        normal("_filter=(_id eq a and gender eq male) or birthdate eq 2020"),
        normal("_filter=birthdate eq 2020 or (gender eq male and _id eq a)")
    );
    let locks = plan("Patient", "_filter=identifier eq urn:mrn|7").unwrap().lock_keys();
    assert_eq!(locks.len(), 2);
}

#[test]
fn a_filter_that_names_what_is_not_there_says_what_is_near() {
    for (query, hint) in [
        ("nmae eq a", "near names are name"),
        ("organization.nmae eq a", "name"),
        ("gender.name eq a", "token"),
        ("gender[name eq a].name eq a", "token"),
        ("name:exact eq a", "modifier"),
        ("_text eq a", "co alone"),
        ("_list ne 42", "eq alone"),
        ("_filter eq a", "_filter"),
        ("_count eq 1", "_count"),
        ("_has:Nothing:patient:code eq a", "Nothing"),
        ("organization.partof.partof.partof.partof.partof.name eq a", "at most"),
        ("birthdate ge yesterday", "in 'birthdate ge yesterday'"),
        ("gender pr maybe", "true or false"),
        ("gender eq \"\"", "empty"),
        ("name eq \" \"", "letter"),
        ("gender eq a|b|c", "token"),
    ] {
        let text = message("Patient", &format!("_filter={query}"));
        assert!(text.contains(hint), "{query}: {text}");
    }
    for query in ["_filter:not=gender eq male", "organization._filter=name eq a"] {
        assert!(message("Patient", query).contains("not-supported"), "{query}");
    }
}

#[test]
fn lenient_handling_leaves_out_a_filter_of_unknown_names_but_not_one_of_wrong_values() {
    let lenient = |query| plan_in(&of("Patient"), query, Handling::Lenient);
    let plan = lenient("_filter=nmae eq a&gender=male").unwrap();
    assert_eq!((plan.clauses.len(), plan.issues.len()), (1, 1));
    assert_eq!(plan.applied(), [("gender".to_owned(), "male".to_owned())]);
    for query in ["_filter=birthdate ge x", "_filter=gender co a", "_filter=gender"] {
        assert_eq!(lenient(query).unwrap_err().kind.status(), 400, "{query}");
    }
}

/// Filters of the grammar, and texts that are nearly some.
fn filters() -> impl Strategy<Value = String> {
    let leaf = ("[_a-z][a-z-]{0,5}", "(eq|ne|pr|re|xx)", "([a-z0-9|.:-]{1,6}|\"[^\"\\\\]{0,4}\")")
        .prop_map(|(name, operator, value)| format!("{name} {operator} {value}"));
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), "(and|or|xor)", inner.clone())
                .prop_map(|(left, word, right)| format!("{left} {word} {right}")),
            inner.clone().prop_map(|one| format!("({one})")),
            inner.clone().prop_map(|one| format!("not ({one})")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("a[{one}].{other}")),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
        let _ = parsed(&text);
        let _ = plan("Patient", &format!("_filter={text}"));
    }

    #[test]
    fn a_filter_says_the_same_when_it_is_spelled_out(text in filters()) {
        if let Ok(filter) = parsed(&text) {
            let again = spelled(&filter);
            prop_assert_eq!(parsed(&again).map(|filter| spelled(&filter)), Ok(again));
        }
        let _ = plan("Patient", &format!("_filter={text}"));
    }

    #[test]
    fn a_filter_that_was_cut_or_changed_is_refused_without_panic(
        (text, at, with) in (filters(), 0usize..80, any::<char>())
    ) {
        let place = text.char_indices().map(|(place, _)| place).nth(at).unwrap_or(text.len());
        let _ = parsed(&text[..place]);
        let _ = parsed(&format!("{}{with}{}", &text[..place], &text[place..]));
    }
}
