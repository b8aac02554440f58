use super::*;
use crate::terminology::{CodeSystem, Needed};
use serde_json::{Value, json};
use std::sync::Arc;

fn animals() -> Value {
    json!({"url": "http://s", "content": "complete",
        "property": [{"code": "legs", "type": "integer"}],
        "concept": [
            {"code": "animal", "concept": [
                {"code": "dog", "display": "A dog",
                    "property": [{"code": "legs", "valueInteger": 4}], "concept": [
                    {"code": "poodle"}]},
                {"code": "fish", "property": [{"code": "inactive", "valueBoolean": true}]}]},
            {"code": "stone"}]})
}

fn library(value_sets: &[(&str, Value)]) -> Library {
    let mut library = Library::default();
    for (url, compose) in value_sets {
        let value_set = ValueSet::read(&json!({"url": url, "compose": compose}));
        library.put_value_set(url, Some(Arc::new(value_set)));
    }
    library.put_code_system("http://s", Some(Arc::new(CodeSystem::read(&animals()))));
    library
}

fn codes(library: &Library) -> Result<String, TerminologyError> {
    let codes = expand(library, "a", 100)?;
    let mut texts = Vec::new();
    for (system, members) in codes.systems() {
        match members {
            Members::These(codes) => texts.extend(codes.iter().cloned()),
            Members::AllBut(codes) => texts.push(format!("{system} but {codes:?}")),
        }
    }
    Ok(texts.join(" "))
}

fn filtered(property: &str, op: &str, value: &str) -> Result<String, TerminologyError> {
    let filter = json!([{"property": property, "op": op, "value": value}]);
    codes(&library(&[("a", json!({"include": [{"system": "http://s", "filter": filter}]}))]))
}

#[test]
fn filters_are_those_of_the_specification() {
    for (property, op, value, expected) in [
        ("concept", "is-a", "dog", "dog poodle"),
        ("concept", "descendent-of", "dog", "poodle"),
        ("concept", "is-not-a", "dog", "animal fish stone"),
        ("concept", "generalizes", "dog", "animal dog"),
        ("concept", "in", "dog, stone", "dog stone"),
        ("code", "regex", "(s|d).*", "dog stone"),
        ("code", "=", "dog", "dog"),
        ("parent", "=", "animal", "dog fish"),
        ("child", "exists", "false", "fish poodle stone"),
        ("legs", "=", "4", "dog"),
        ("legs", "exists", "true", "dog"),
        ("legs", "not-in", "4,5", "animal fish poodle stone"),
        ("inactive", "=", "true", "fish"),
        ("display", "regex", "A .*", "dog"),
    ] {
        let found = filtered(property, op, value);
        assert_eq!(found.as_deref(), Ok(expected), "{property} {op} {value}");
    }
    for (property, op, value) in [
        ("wings", "=", "2"),
        ("concept", "is-a", "cat"),
        ("code", "regex", "("),
        ("code", "like", "d"),
        ("legs", "exists", "maybe"),
    ] {
        let found = filtered(property, op, value);
        assert!(matches!(found, Err(TerminologyError::Filter { .. })), "{op}: {found:?}");
    }
}

#[test]
fn a_value_set_includes_whole_systems_lists_and_value_sets_and_excludes() {
    let set = |compose: Value| {
        library(&[
            ("a", compose),
            (
                "b",
                json!({"include": [
        {"system": "http://s", "concept": [{"code": "dog"}, {"code": "x"}]},
        {"system": "http://t", "concept": [{"code": "1"}]}]}),
            ),
        ])
    };
    let of = |compose: Value| codes(&set(compose)).unwrap();
    assert_eq!(of(json!({"include": [{"system": "http://s"}]})), "animal dog fish poodle stone");
    assert_eq!(of(json!({"inactive": false, "include": [{"system": "http://s"}]})), {
        "animal dog poodle stone"
    });
    assert_eq!(of(json!({"include": [{"valueSet": ["b"]}]})), "dog x 1");
    assert_eq!(of(json!({"include": [{"system": "http://s", "valueSet": ["b"]}]})), "dog");
    let less = json!({"include": [{"system": "http://s"}],
        "exclude": [{"valueSet": ["b"]}, {"system": "http://s", "concept": [{"code": "fish"}]}]});
    assert_eq!(of(less), "animal poodle stone");
}

#[test]
fn a_system_that_is_not_held_is_whole_or_nothing() {
    let include = |part: Value| codes(&library(&[("a", json!({"include": [part]}))]));
    let whole = include(json!({"system": "http://t"}));
    assert_eq!(whole.unwrap(), "http://t but {}");
    let filter = json!([{"property": "concept", "op": "is-a", "value": "x"}]);
    let unknown = include(json!({"system": "http://t", "version": "2", "filter": filter}));
    assert_eq!(unknown, Err(TerminologyError::UnknownCodeSystem("http://t|2".into())));
}

#[test]
fn circles_unknown_parts_and_too_many_codes_are_refused() {
    let import = |of: &str| json!({"include": [{"valueSet": [of]}]});
    let circle = library(&[("a", import("b")), ("b", import("a"))]);
    assert_eq!(codes(&circle), Err(TerminologyError::Cycle("a".into())));
    let open = library(&[("a", import("c"))]);
    assert_eq!(open.needed(), [Needed::ValueSet("c".into())]);
    assert_eq!(codes(&open), Err(TerminologyError::UnknownValueSet("c".into())));
    let large = library(&[("a", json!({"include": [{"system": "http://s"}]}))]);
    assert!(expand(&large, "a", 4).unwrap_err().is_too_costly());
}

#[test]
fn an_expansion_counts_where_there_is_no_definition_and_it_is_whole() {
    let read = |expansion: Value| {
        let mut library = Library::default();
        let value_set = ValueSet::read(&json!({"url": "a", "expansion": expansion}));
        library.put_value_set("a", Some(Arc::new(value_set)));
        codes(&library)
    };
    let contains = json!([{"system": "s", "code": "g", "abstract": true,
        "contains": [{"system": "s", "code": "1"}]}, {"contains": [{"system": "t", "code": "2"}]}]);
    assert_eq!(read(json!({"contains": contains, "total": 3})).unwrap(), "1 2");
    assert!(read(json!({"contains": contains, "total": 4})).is_err());
}
