//! Compiles HL7's R4 definitions (`fhir-profiles/r4`) into the compact tables that
//! `src/fhir/definitions` loads at start, so that a start parses half a megabyte, not seventy.

#[path = "src/fhir/definitions/table.rs"]
mod table;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;
use table::*;

// Cargo tells a build script where to write by the environment, and in no other way.
#[allow(clippy::disallowed_methods)]
fn main() {
    println!("cargo:rerun-if-changed=fhir-profiles/r4");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/fhir/definitions/table.rs");
    println!("cargo:rerun-if-changed=migrations");
    let mut types = Vec::new();
    let mut compartments = Vec::new();
    for line in lines("profiles-types").chain(lines("profiles-resources")) {
        let resource: Value = serde_json::from_str(&line).expect("definitions are JSON");
        match text(&resource, "resourceType") {
            "StructureDefinition" if text(&resource, "derivation") != "constraint" => {
                types.extend(structure(&resource));
            }
            "CompartmentDefinition" => compartments.push(compartment(&resource)),
            _ => {}
        }
    }
    types.sort_by(|a, b| a.name.cmp(&b.name));
    let value_sets = ValueSets::read().expand_required(&types);
    let mut search_parameters: Vec<_> = lines("search-parameters").map(search_parameter).collect();
    search_parameters.sort_by(|a, b| a.url.cmp(&b.url));
    let tables = Tables { types, value_sets, search_parameters, compartments };
    let out =
        Path::new(&std::env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("definitions.json");
    std::fs::write(out, serde_json::to_vec(&tables).expect("rows serialise"))
        .expect("OUT_DIR is writable");
}

fn lines(name: &str) -> impl Iterator<Item = String> {
    let path = format!("fhir-profiles/r4/{name}.ndjson.gz");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    BufReader::new(flate2::read::GzDecoder::new(file)).lines().map(|line| line.expect("UTF-8"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn strings(value: &Value, key: &str) -> Vec<String> {
    list(value, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn last_segment(canonical: &str) -> String {
    canonical.rsplit('/').next().unwrap_or(canonical).to_owned()
}

/// A StructureDefinition as one row for the type and one for each element with children.
fn structure(definition: &Value) -> Vec<TypeRow> {
    let name = text(definition, "type");
    let kind = match (text(definition, "kind"), definition["abstract"].as_bool()) {
        ("resource", Some(true)) => Kind::AbstractResource,
        ("resource", _) => Kind::Resource,
        ("primitive-type", _) => Kind::Primitive,
        _ => Kind::Complex,
    };
    let elements = list(&definition["snapshot"], "element");
    let parents: BTreeSet<&str> = elements
        .iter()
        .filter_map(|element| text(element, "path").rsplit_once('.'))
        .map(|(parent, _)| parent)
        .collect();
    let base = definition.get("baseDefinition").and_then(Value::as_str).map(last_segment);
    let mut rows: BTreeMap<&str, TypeRow> = BTreeMap::new();
    for path in &parents {
        let (kind, base) = match *path == name {
            true => (kind, base.clone()),
            false => (Kind::Backbone, Some(backbone_base(elements, path))),
        };
        rows.insert(path, TypeRow { name: (*path).to_owned(), kind, base, elements: vec![] });
    }
    for element in elements {
        let path = text(element, "path");
        let Some((parent, leaf)) = path.rsplit_once('.') else { continue };
        if (kind == Kind::Primitive && leaf == "value") || element.get("sliceName").is_some() {
            continue;
        }
        let row = element_row(element, path, parents.contains(path), kind);
        rows.get_mut(parent).expect("a parent row").elements.push(row);
    }
    rows.into_values().collect()
}

fn backbone_base(elements: &[Value], path: &str) -> String {
    let element = elements.iter().find(|element| text(element, "path") == path);
    let types = element.map(|element| list(element, "type")).unwrap_or_default();
    types.first().map_or("BackboneElement", |kind| text(kind, "code")).to_owned()
}

fn element_row(element: &Value, path: &str, has_children: bool, kind: Kind) -> ElementRow {
    let leaf = path.rsplit('.').next().unwrap_or(path);
    let types = if has_children {
        vec![ElementTypeRow { code: path.to_owned(), targets: vec![] }]
    } else if let Some(content) = element.get("contentReference").and_then(Value::as_str) {
        let code = content.trim_start_matches('#').to_owned();
        vec![ElementTypeRow { code, targets: vec![] }]
    } else {
        list(element, "type").iter().map(|row| element_type(row, path, leaf, kind)).collect()
    };
    let binding = element.get("binding").filter(|binding| binding.get("valueSet").is_some());
    ElementRow {
        name: leaf.trim_end_matches("[x]").to_owned(),
        min: element["min"].as_u64().unwrap_or(0) as u32,
        max: text(element, "max").parse().ok(),
        choice: leaf.ends_with("[x]"),
        types,
        is_summary: element["isSummary"].as_bool().unwrap_or(false),
        is_modifier: element["isModifier"].as_bool().unwrap_or(false),
        binding: binding.map(|binding| BindingRow {
            strength: text(binding, "strength").to_owned(),
            value_set: text(binding, "valueSet").to_owned(),
        }),
    }
}

/// `id` and `url` carry FHIRPath system types in the source; the FHIR types stand in prose.
fn element_type(row: &Value, path: &str, leaf: &str, kind: Kind) -> ElementTypeRow {
    let is_resource = matches!(kind, Kind::Resource | Kind::AbstractResource);
    let code = match text(row, "code") {
        "http://hl7.org/fhirpath/System.String" => match leaf {
            "id" if is_resource && path.matches('.').count() == 1 => "id",
            "url" => "uri",
            _ => "string",
        },
        code => code,
    };
    let mut targets: Vec<String> =
        strings(row, "targetProfile").iter().map(|target| last_segment(target)).collect();
    if targets.iter().any(|target| target == "Resource") {
        targets.clear();
    }
    ElementTypeRow { code: code.to_owned(), targets }
}

fn compartment(definition: &Value) -> CompartmentRow {
    let resources = list(definition, "resource")
        .iter()
        .map(|row| CompartmentResourceRow {
            resource: text(row, "code").to_owned(),
            parameters: strings(row, "param"),
        })
        .filter(|row| !row.parameters.is_empty())
        .collect();
    CompartmentRow { code: text(definition, "code").to_owned(), resources }
}

fn search_parameter(line: String) -> SearchParameterRow {
    let parameter: Value = serde_json::from_str(&line).expect("definitions are JSON");
    let components = list(&parameter, "component")
        .iter()
        .map(|row| ComponentRow {
            definition: text(row, "definition").to_owned(),
            expression: text(row, "expression").to_owned(),
        })
        .collect();
    SearchParameterRow {
        url: text(&parameter, "url").to_owned(),
        code: text(&parameter, "code").to_owned(),
        base: strings(&parameter, "base"),
        kind: text(&parameter, "type").to_owned(),
        expression: parameter.get("expression").and_then(Value::as_str).map(str::to_owned),
        targets: strings(&parameter, "target"),
        components,
        description: text(&parameter, "description").to_owned(),
    }
}

/// Code systems and value sets of R4, for the expansion of required bindings.
struct ValueSets {
    value_sets: HashMap<String, Value>,
    code_systems: HashMap<String, Value>,
}

type Expansion = BTreeMap<String, BTreeSet<String>>;

impl ValueSets {
    fn read() -> Self {
        let mut sets = ValueSets { value_sets: HashMap::new(), code_systems: HashMap::new() };
        let all = lines("valuesets").chain(lines("v3-codesystems")).chain(lines("v2-tables"));
        for line in all {
            let resource: Value = serde_json::from_str(&line).expect("definitions are JSON");
            let url = text(&resource, "url").to_owned();
            match text(&resource, "resourceType") {
                "ValueSet" => sets.value_sets.insert(url, resource),
                _ => sets.code_systems.insert(url, resource),
            };
        }
        sets
    }

    /// Value sets of required bindings; one that is open (MIME types, languages, units) or
    /// needs a code system that R4 does not ship is left out.
    fn expand_required(&self, types: &[TypeRow]) -> Vec<ValueSetRow> {
        let urls: BTreeSet<&str> = types
            .iter()
            .flat_map(|row| &row.elements)
            .filter_map(|element| element.binding.as_ref())
            .filter(|binding| binding.strength == "required")
            .map(|binding| binding.value_set.split('|').next().unwrap_or_default())
            .collect();
        let row = |url: &str| {
            let expansion = self.expand(url)?;
            let systems = expansion
                .into_iter()
                .map(|(system, codes)| ValueSetSystemRow {
                    system,
                    codes: codes.into_iter().collect(),
                })
                .collect();
            Some(ValueSetRow { url: url.to_owned(), systems })
        };
        urls.into_iter().filter_map(row).collect()
    }

    fn expand(&self, url: &str) -> Option<Expansion> {
        let url = url.split('|').next()?;
        let compose = self.value_sets.get(url)?.get("compose")?;
        let mut expansion = Expansion::new();
        for include in list(compose, "include") {
            for (system, codes) in self.part(include)? {
                expansion.entry(system).or_default().extend(codes);
            }
        }
        for exclude in list(compose, "exclude") {
            for (system, codes) in self.part(exclude)? {
                if let Some(kept) = expansion.get_mut(&system) {
                    kept.retain(|code| !codes.contains(code));
                }
            }
        }
        (!expansion.is_empty()).then_some(expansion)
    }

    fn part(&self, part: &Value) -> Option<Expansion> {
        let system = text(part, "system");
        let concepts = list(part, "concept");
        let mut expansion = Expansion::new();
        if !concepts.is_empty() {
            let codes = concepts.iter().map(|concept| text(concept, "code").to_owned()).collect();
            expansion.insert(system.to_owned(), codes);
        } else if !system.is_empty() {
            expansion.insert(system.to_owned(), self.system_codes(system, list(part, "filter"))?);
        }
        for imported in strings(part, "valueSet") {
            let imported = self.expand(&imported)?;
            if expansion.is_empty() {
                expansion = imported;
            } else {
                return None;
            }
        }
        Some(expansion)
    }

    fn system_codes(&self, system: &str, filters: &[Value]) -> Option<BTreeSet<String>> {
        let definition = self.code_systems.get(system)?;
        if text(definition, "content") != "complete" {
            return None;
        }
        let mut kept = BTreeSet::new();
        collect(list(definition, "concept"), &mut kept);
        for filter in filters {
            let within = subtree(list(definition, "concept"), text(filter, "value"))?;
            let mut codes = BTreeSet::new();
            collect(list(within, "concept"), &mut codes);
            match (text(filter, "property"), text(filter, "op")) {
                ("concept", "is-a") => codes.insert(text(within, "code").to_owned()),
                ("concept", "descendent-of") => true,
                _ => return None,
            };
            kept.retain(|code| codes.contains(code));
        }
        Some(kept)
    }
}

fn collect(concepts: &[Value], codes: &mut BTreeSet<String>) {
    for concept in concepts {
        codes.insert(text(concept, "code").to_owned());
        collect(list(concept, "concept"), codes);
    }
}

fn subtree<'a>(concepts: &'a [Value], code: &str) -> Option<&'a Value> {
    concepts.iter().find_map(|concept| match text(concept, "code") == code {
        true => Some(concept),
        false => subtree(list(concept, "concept"), code),
    })
}
