//! FHIRPath Patch: <https://hl7.org/fhir/R4/fhirpatch.html>. Operations are applied in order;
//! each path is evaluated on what those before have made.

use super::fault::{check_work, depth, malformed, nodes, too_costly, unfit};
use super::parameters::{self, Action, Addition, Insertion, Operation};
use super::place::{self, Item, Place};
use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::definitions::{Child, TypeDef};
use crate::fhir::fhirpath::{Context, Expression, Item as Found, Step, locate};
use crate::limits::Limits;
use serde_json::{Map, Value};

/// 400 where the patch is not a Parameters resource with well-formed operations; 422 at the
/// first that does not fit.
pub(super) fn apply(patch: &Value, resource: &Value, limits: &Limits) -> Result<Value> {
    if patch.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(malformed("", "A FHIRPath Patch is a Parameters resource"));
    }
    let operations = match patch.get("parameter") {
        None => &[],
        Some(Value::Array(operations)) => operations.as_slice(),
        Some(_) => return Err(malformed("Parameters.parameter", "'parameter' is an array")),
    };
    if operations.len() > limits.patch_operations {
        let text = format!("More than {} operations", limits.patch_operations);
        return Err(too_costly("Parameters.parameter", text));
    }
    check_work(operations.len(), nodes(resource))?;
    let operations = operations.iter().enumerate();
    let operations: Vec<_> = operations.map(parameters::operation).collect::<Result<_>>()?;
    let mut patched = resource.clone();
    for operation in &operations {
        let ways = ways(operation, &patched)?;
        Change { operation, limits }.apply(&mut patched, &ways)?;
    }
    Ok(patched)
}

/// The ways to what the path selects.
fn ways(operation: &Operation<'_>, resource: &Value) -> Result<Vec<Vec<Step>>> {
    let refuse = |error: &dyn std::fmt::Display| {
        malformed(&operation.at, format!("Path '{}': {error}", operation.path))
    };
    let path = with_div_as_name(operation.path);
    let expression = Expression::parse(&path).map_err(|error| refuse(&error))?;
    let context = Context::default();
    let found = expression.evaluate(&context, resource).map_err(|error| {
        let text = format!("Path '{}': {error}", operation.path);
        unfit(IssueCode::Value, &operation.at, text)
    })?;
    let way = |item: &Found<'_>| locate(resource, &item.as_node()?).map(|found| found.steps);
    found
        .iter()
        .map(|item| way(item).ok_or_else(|| refuse(&"it leads to no element of the resource")))
        .collect()
}

/// The path with `.div` as a name. It is an operator of FHIRPath, so that the grammar wants
/// "`div`" for the element of a narrative; patches in the wild, HL7's own among them, do not
/// write it so.
fn with_div_as_name(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut quote = None;
    let mut rest = path;
    while let Some(character) = rest.chars().next() {
        let after = rest.strip_prefix(".div").filter(|after| {
            let continues = |c: char| c.is_alphanumeric() || c == '_';
            quote.is_none() && !after.starts_with(continues)
        });
        if let Some(after) = after {
            out.push_str(".`div`");
            rest = after;
            continue;
        }
        let mut length = character.len_utf8();
        match (quote, character) {
            (Some(_), '\\') => length += rest[1..].chars().next().map_or(0, char::len_utf8),
            (Some(open), character) if open == character => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(character),
            _ => {}
        }
        let (taken, after) = rest.split_at(length);
        out.push_str(taken);
        rest = after;
    }
    out
}

struct Change<'o> {
    operation: &'o Operation<'o>,
    limits: &'o Limits,
}

impl Change<'_> {
    fn apply(&self, resource: &mut Value, ways: &[Vec<Step>]) -> Result<()> {
        match self.operation.action {
            Action::Add(addition) => {
                let way = self.single(ways)?;
                self.add(resource, way, addition)
            }
            Action::Insert(insertion) => self.insert(resource, ways, insertion),
            Action::Delete if ways.is_empty() => Ok(()),
            Action::Delete => {
                let place = self.place(self.single(ways)?)?;
                place::remove(resource, &place);
                Ok(())
            }
            Action::Replace { value } => {
                let way = self.single(ways)?;
                self.replace(resource, way, value)
            }
            Action::Move { source, destination } => {
                let (place, length) = self.whole_list(resource, ways)?;
                if source.max(destination) >= length {
                    let text = format!("The list has only {length} items");
                    return Err(self.unfit(IssueCode::Value, text));
                }
                self.edit_list(resource, &place, |items| {
                    let item = items.remove(source);
                    items.insert(destination, item);
                })
            }
        }
    }

    fn unfit(&self, code: IssueCode, text: impl Into<String>) -> FhirError {
        unfit(code, &self.operation.at, text)
    }

    fn nowhere(&self) -> FhirError {
        let text = format!("There is nothing at '{}'", self.operation.path);
        self.unfit(IssueCode::NotFound, text)
    }

    fn single<'w>(&self, ways: &'w [Vec<Step>]) -> Result<&'w [Step]> {
        match ways {
            [way] => Ok(way),
            [] => Err(self.nowhere()),
            _ => {
                let (path, count) = (self.operation.path, ways.len());
                let text = format!("'{path}' selects {count} elements, not one");
                Err(self.unfit(IssueCode::MultipleMatches, text))
            }
        }
    }

    fn place(&self, way: &[Step]) -> Result<Place> {
        Place::of(way).ok_or_else(|| {
            let text = "A patch cannot replace, move or delete the resource itself";
            self.unfit(IssueCode::Value, text)
        })
    }

    /// The list that all ways lead into, each to one of its items in order, and its length.
    fn whole_list(&self, resource: &mut Value, ways: &[Vec<Step>]) -> Result<(Place, usize)> {
        let first = self.place(ways.first().ok_or_else(|| self.nowhere())?)?;
        let object = self.object(resource, &first.parent)?;
        let length = place::length(object, &first.key);
        let mut places = ways.iter().enumerate().map(|(index, way)| (index, Place::of(way)));
        let is_whole = ways.len() == length
            && places.all(|(index, place)| {
                let expected = Place { index: Some(index), ..first.clone() };
                place == Some(expected)
            });
        match is_whole {
            true => Ok((first, length)),
            false => {
                let text = format!("'{}' is not one whole list", self.operation.path);
                Err(self.unfit(IssueCode::Value, text))
            }
        }
    }

    fn object<'v>(
        &self,
        resource: &'v mut Value,
        steps: &[Step],
    ) -> Result<&'v mut Map<String, Value>> {
        let value = place::value_mut(resource, steps);
        value.and_then(Value::as_object_mut).ok_or_else(|| self.nowhere())
    }

    fn edit_list(
        &self,
        resource: &mut Value,
        place: &Place,
        edit: impl FnOnce(&mut Vec<Item>),
    ) -> Result<()> {
        let object = self.object(resource, &place.parent)?;
        let mut items = place::take_list(object, &place.key);
        edit(&mut items);
        if items.len() > self.limits.array_items {
            let text = format!("More than {} items in an array", self.limits.array_items);
            return Err(too_costly(&self.operation.at, text));
        }
        place::set_list(object, &place.key, items);
        Ok(())
    }

    fn check_depth(&self, level: usize, item: &Item) -> Result<()> {
        let depth = level + depth(&item.value).max(depth(&item.companion));
        match depth > self.limits.depth {
            true => {
                let text = format!("Nested deeper than {}", self.limits.depth);
                Err(too_costly(&self.operation.at, text))
            }
            false => Ok(()),
        }
    }

    fn definition(&self, resource: &Value, steps: &[Step]) -> Result<&'static TypeDef> {
        place::type_at(resource, steps).ok_or_else(|| self.nowhere())
    }

    fn child(&self, resource: &Value, place: &Place) -> Result<Child<'static>> {
        let definition = self.definition(resource, &place.parent)?;
        definition.child(&place.key).ok_or_else(|| self.nowhere())
    }

    fn add(&self, resource: &mut Value, way: &[Step], addition: Addition<'_>) -> Result<()> {
        let Addition { name, value } = addition;
        let definition = self.definition(resource, way)?;
        let (child, item) = parameters::property(definition, name, value, &self.operation.at)?;
        self.check_depth(way.len() + 2, &item)?;
        let parent = match Place::of(way) {
            Some(place) if definition.is_primitive() => {
                self.make_companion(resource, &place)?;
                place.object_steps(true)
            }
            _ => way.to_vec(),
        };
        let key = child.element_type.json_name;
        if child.element.is_repeating() {
            let place = Place { parent, key: key.to_owned(), index: None };
            return self.edit_list(resource, &place, |items| items.push(item));
        }
        let object = self.object(resource, &parent)?;
        let mut others = child.element.types.iter().map(|it| it.json_name);
        let is_there =
            |key: &str| object.contains_key(key) || object.contains_key(&format!("_{key}"));
        if others.any(is_there) {
            let text = format!("'{name}' is there already and does not repeat; replace it");
            return Err(self.unfit(IssueCode::Duplicate, text));
        }
        place::set(object, key, item);
        Ok(())
    }

    /// Gives a primitive an object for what is added to it.
    fn make_companion(&self, resource: &mut Value, place: &Place) -> Result<()> {
        let make = |item: &mut Item| {
            if item.companion.is_null() {
                item.companion = Value::Object(Map::new());
            }
        };
        match place.index {
            Some(index) => self.edit_list(resource, place, |items| {
                items.get_mut(index).into_iter().for_each(make)
            }),
            None => {
                let object = self.object(resource, &place.parent)?;
                let key = format!("_{}", place.key);
                object.entry(key).or_insert_with(|| Value::Object(Map::new()));
                Ok(())
            }
        }
    }

    fn insert(
        &self,
        resource: &mut Value,
        ways: &[Vec<Step>],
        insertion: Insertion<'_>,
    ) -> Result<()> {
        let Insertion { index, value } = insertion;
        let (place, length) = self.whole_list(resource, ways)?;
        if index > length {
            let text = format!("The list has only {length} items");
            return Err(self.unfit(IssueCode::Value, text));
        }
        let child = self.child(resource, &place)?;
        let item = parameters::item(child, value, &self.operation.at)?;
        self.check_depth(place.parent.len() + 2, &item)?;
        self.edit_list(resource, &place, |items| items.insert(index, item))
    }

    fn replace(&self, resource: &mut Value, way: &[Step], value: &Value) -> Result<()> {
        let place = self.place(way)?;
        let child = self.child(resource, &place)?;
        let definition = self.definition(resource, &place.parent)?;
        let name = match child.element.is_choice {
            // The new value may be of another type of the choice.
            true => child.element.name,
            false => child.element_type.json_name,
        };
        let (child, item) = parameters::property(definition, name, value, &self.operation.at)?;
        self.check_depth(way.len(), &item)?;
        if let Some(index) = place.index {
            return self.edit_list(resource, &place, |items| {
                items.get_mut(index).into_iter().for_each(|old| *old = item.clone());
            });
        }
        let key = child.element_type.json_name;
        let object = self.object(resource, &place.parent)?;
        if key != place.key {
            place::set(object, &place.key, Item::default());
        }
        place::set(object, key, item);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(resource: &Value, operation: &[(&str, Value)]) -> Result<Value> {
        let part = |(name, value): &(&str, Value)| {
            let mut part = value.clone();
            part["name"] = json!(name);
            part
        };
        let parts: Vec<_> = operation.iter().map(part).collect();
        let parameters = json!({"resourceType": "Parameters",
            "parameter": [{"name": "operation", "part": parts}]});
        apply(&parameters, resource, &Limits::default())
    }

    fn text(text: &str) -> Value {
        json!({"valueString": text})
    }

    #[test]
    fn the_element_div_needs_no_backticks() {
        assert_eq!(with_div_as_name("Patient.text.div"), "Patient.text.`div`");
        for path in ["a.divide", "a.where(b = 'x.div\\'.div')", "a.`div`", "4 div 2", "é.dív"] {
            assert_eq!(with_div_as_name(path), path);
        }
    }

    #[test]
    fn a_list_of_primitives_keeps_ids_and_extensions_beside_their_values() {
        let patient = json!({"resourceType": "Patient",
            "name": [{"given": ["A", "B"], "_given": [null, {"id": "b"}]}]});
        let name = |operation: &[(&str, Value)]| {
            patched(&patient, operation).unwrap()["name"][0].to_string()
        };
        let given = |kind: &str| {
            [("type", json!({"valueCode": kind})), ("path", text("Patient.name.given"))].to_vec()
        };
        let mut operation = given("move");
        operation.push(("source", json!({"valueInteger": 1})));
        operation.push(("destination", json!({"valueInteger": 0})));
        assert_eq!(name(&operation), r#"{"given":["B","A"],"_given":[{"id":"b"},null]}"#);
        let mut operation = given("insert");
        operation.push(("index", json!({"valueInteger": 1})));
        operation.push(("value", text("X")));
        let expected = r#"{"given":["A","X","B"],"_given":[null,null,{"id":"b"}]}"#;
        assert_eq!(name(&operation), expected);
        let delete =
            [("type", json!({"valueCode": "delete"})), ("path", text("Patient.name.given[1]"))];
        assert_eq!(name(&delete), r#"{"given":["A"]}"#);
    }

    #[test]
    fn a_choice_takes_the_type_of_its_new_value() {
        let patient = json!({"resourceType": "Patient", "deceasedBoolean": true});
        let replace = |value: Value| {
            patched(
                &patient,
                &[
                    ("type", json!({"valueCode": "replace"})),
                    ("path", text("Patient.deceased")),
                    ("value", value),
                ],
            )
        };
        let expected = json!({"resourceType": "Patient", "deceasedDateTime": "2020"});
        assert_eq!(replace(json!({"valueDateTime": "2020"})).unwrap(), expected);
        let error = replace(json!({"valueInteger": 1})).unwrap_err();
        assert_eq!(error.kind.status(), 422);
    }

    #[test]
    fn an_extension_can_be_added_to_a_primitive_and_taken_off() {
        let patient = json!({"resourceType": "Patient", "birthDate": "1970"});
        let part = |name: &str, key: &str, value: &str| json!({"name": name, key: value});
        let extension = json!({"part": [part("url", "valueUri", "urn:x"),
            part("value", "valueCode", "c")]});
        let added = patched(
            &patient,
            &[
                ("type", json!({"valueCode": "add"})),
                ("path", text("Patient.birthDate")),
                ("name", text("extension")),
                ("value", extension),
            ],
        )
        .unwrap();
        let expected = json!({"extension": [{"url": "urn:x", "valueCode": "c"}]});
        assert_eq!(added["_birthDate"], expected);
        let removed = patched(
            &added,
            &[
                ("type", json!({"valueCode": "delete"})),
                ("path", text("Patient.birthDate.extension")),
            ],
        )
        .unwrap();
        assert_eq!(removed, patient);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_operation() {
        let patient = json!({"resourceType": "Patient", "active": true,
            "name": [{"text": "a"}, {"text": "b"}]});
        let status = |kind: &str, path: &str, name: &str, value: Value| {
            let error = patched(
                &patient,
                &[
                    ("type", json!({"valueCode": kind})),
                    ("path", text(path)),
                    ("name", text(name)),
                    ("value", value),
                    ("index", json!({"valueInteger": 9})),
                ],
            )
            .unwrap_err();
            assert_eq!(error.issues[0].expression, "Parameters.parameter[0]");
            error.kind.status()
        };
        assert_eq!(status("add", "Patient", "active", json!({"valueBoolean": true})), 422);
        assert_eq!(status("add", "Patient", "nonsense", text("x")), 422);
        assert_eq!(status("add", "Patient", "gender", json!({"valueBoolean": true})), 422);
        assert_eq!(status("add", "Patient", "photo", json!({"valueHumanName": {}})), 422);
        assert_eq!(status("add", "Patient.name", "text", text("x")), 422);
        assert_eq!(status("replace", "Patient.gender", "", text("x")), 422);
        assert_eq!(status("replace", "Patient", "", text("x")), 422);
        assert_eq!(status("delete", "Patient.name", "", text("x")), 422);
        assert_eq!(status("insert", "Patient.name", "", json!({"valueHumanName": {}})), 422);
        assert_eq!(status("add", "Patient.(", "active", text("x")), 400);
        assert_eq!(status("add", "1 + 1", "active", text("x")), 400);
        assert_eq!(status("spam", "Patient", "active", text("x")), 400);
        assert_eq!(status("add", "Patient", "active", json!({})), 400);
    }
}
