//! The third-party patch suites, read from the shared folder; skipped where that is absent.

use super::xml_tree::{Node, Tree};
use super::{Patch, apply, json_patch, xml_patch};
use crate::fhir::xml::{read, tokens::Token, tokens::Tokens};
use crate::limits::Limits;
use serde_json::Value;
use std::path::PathBuf;

const KNOWN_FAILURES: &str = include_str!("../../../conformance/patch/known-failures.txt");

/// A file of the suites.
fn suite(name: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let shared = std::env::var_os("BHN_SHARED").map_or(beside.into(), PathBuf::from);
    let text = std::fs::read_to_string(shared.join("fhir/patch").join(name)).ok();
    if text.is_none() {
        println!("patch {name} skipped");
    }
    text
}

/// Prints the score; a failure that is not listed, and a listed one that passes, fail.
fn score(suite: &str, outcomes: Vec<(String, Result<(), String>)>) {
    let passed = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    println!("patch {suite} {passed}/{}", outcomes.len());
    for (case, outcome) in outcomes {
        let is_known = KNOWN_FAILURES.lines().any(|line| {
            line.strip_prefix(&format!("{suite}: {case}: "))
                .is_some_and(|reason| !reason.is_empty())
        });
        assert_eq!(outcome.is_err(), is_known, "{suite}: {case}: {outcome:?}");
    }
}

/// Inner XML of every child of the cases, by case and child name: start offsets let slices of
/// the source stand as they are.
struct Case<'s> {
    name: &'s str,
    parts: Vec<(&'s str, &'s str)>,
}

fn cases(source: &str) -> Vec<Case<'_>> {
    let limits = Limits { nodes: usize::MAX, ..Limits::default() };
    let mut tokens = Tokens::new(source, &limits);
    let (mut cases, mut depth): (Vec<Case<'_>>, _) = (Vec::new(), 0);
    let mut inner_start = 0;
    loop {
        let before = tokens.position();
        match tokens.next().unwrap() {
            Token::Start(tag) => {
                depth += 1;
                if depth == 2 {
                    let name = tag.attributes.iter().find(|it| it.local == "name").unwrap();
                    let at = source[tag.start..].find(&*name.value).unwrap() + tag.start;
                    let name = &source[at..at + name.value.len()];
                    cases.push(Case { name, parts: Vec::new() });
                }
                if depth == 3 {
                    inner_start = tokens.position();
                    let part = (tag.local, &source[tag.start..inner_start]);
                    cases.last_mut().unwrap().parts.push(part);
                }
            }
            Token::End => {
                if depth == 3 {
                    let (_, text) = cases.last_mut().unwrap().parts.last_mut().unwrap();
                    // A part that is a document itself keeps its own tag.
                    *text = match text.starts_with("<patch ") {
                        true => {
                            let start = inner_start - text.len();
                            &source[start..tokens.position()]
                        }
                        false => &source[inner_start..before.max(inner_start)],
                    };
                }
                depth -= 1;
            }
            Token::Eof => return cases,
            _ => {}
        }
    }
}

impl<'s> Case<'s> {
    fn part(&self, name: &str) -> Option<&'s str> {
        self.parts.iter().find(|(part, _)| *part == name).map(|(_, text)| text.trim())
    }
}

#[test]
fn json_patch_suite() {
    let Some(text) = suite("json-patch-tests.json") else { return };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let run = |case: &Value| {
        let result = json_patch::apply(&case["patch"], &case["doc"], &Limits::default());
        match (result, case.get("expected"), case.get("error")) {
            (Ok(patched), Some(expected), _) if patched == *expected => Ok(()),
            (Err(_), None, Some(_)) => Ok(()),
            (result, ..) => Err(format!("{result:?}")),
        }
    };
    let name = |case: &Value| case["comment"].as_str().unwrap().to_owned();
    score("json", cases.iter().map(|case| (name(case), run(case))).collect());
}

#[test]
fn xml_patch_suite() {
    let Some(text) = suite("xml-patch-tests.xml") else { return };
    let run = |case: &Case<'_>| {
        let (target, patch) = (case.part("target").unwrap(), case.part("patch").unwrap());
        let result = xml_patch::apply_to_text(patch, target, &Limits::default());
        match (result, case.part("patched"), case.part("error")) {
            (Ok(patched), Some(expected), _) => {
                let (patched, expected) = (canonical(&patched), canonical(expected));
                if patched == expected { Ok(()) } else { Err(format!("{patched}\n{expected}")) }
            }
            (Err(_), None, Some(_)) => Ok(()),
            (result, ..) => Err(format!("{result:?}")),
        }
    };
    score("xml", cases(&text).iter().map(|case| (case.name.to_owned(), run(case))).collect());
}

#[test]
fn fhirpath_patch_suite() {
    let Some(text) = suite("fhir-patch-tests.xml") else { return };
    let json = |text: &str| read(text.as_bytes(), &Limits::default());
    let run = |case: &Case<'_>| {
        let input = json(case.part("input").unwrap()).map_err(|error| error.to_string())?;
        let diff = json(case.part("diff").unwrap()).map_err(|error| error.to_string())?;
        let result = apply(&Patch::FhirPath(diff), &input, &Limits::default());
        match (result, case.part("output"), case.part("error")) {
            (Ok(patched), Some(expected), _) => {
                let expected = json(expected).map_err(|error| error.to_string())?;
                let (patched, expected) = (without_space(patched), without_space(expected));
                if patched == expected { Ok(()) } else { Err(format!("{patched}\n{expected}")) }
            }
            (Err(_), None, Some(_)) => Ok(()),
            (result, ..) => Err(format!("{result:?}")),
        }
    };
    score("fhirpath", cases(&text).iter().map(|case| (case.name.to_owned(), run(case))).collect());
}

/// The suite's new narrative stands in an attribute, where XML makes blanks of line ends: white
/// space and notation of a narrative are left out of the comparison.
fn without_space(mut resource: Value) -> Value {
    if let Some(Value::String(div)) = resource.pointer_mut("/text/div") {
        *div = canonical(div).split_whitespace().collect();
    }
    resource
}

/// Names with namespaces, attributes in order of name, no blank text.
fn canonical(xml: &str) -> String {
    fn write(tree: &Tree<'_>, element: usize, out: &mut String) {
        let element = &tree.elements[element];
        out.push_str(&format!("({{{}}}{}", element.namespace, element.local));
        let mut attributes: Vec<_> = element
            .attributes
            .iter()
            .filter(|it| it.local != "xmlns")
            .map(|it| format!(" {}:{}={:?}", it.prefix, it.local, it.value))
            .collect();
        attributes.sort();
        out.extend(attributes);
        for node in &element.children {
            match node {
                Node::Element(child) => write(tree, *child, out),
                Node::Comment(text) => out.push_str(&format!("!{}!", text.trim())),
                Node::Text { value, .. } => out.push_str(value.trim()),
            }
        }
        out.push(')');
    }
    let limits = Limits::default();
    let tree = Tree::parse(xml, &limits).unwrap();
    let mut out = String::new();
    write(&tree, tree.root, &mut out);
    out
}
