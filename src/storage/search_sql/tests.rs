//! One golden file for each shape. `BHN_BLESS=1` writes them anew.

use super::*;
use crate::access::{Caller, Launch, Link, Links, Permit, Principal, Role, RowFilter, Scopes};
use crate::config::Settings;
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Handling, Interaction, Parameter, SearchScope};
use crate::fhir::resource::ResourceKey;
use crate::search::{
    Cursor, Found, Horizon, IndexSettings, ParameterId, Plan, Planner, Registry, Snapshot, TextIds,
    UnitOfMeasure,
};
use crate::storage::horizon::Shown;
use crate::storage::statement::Statement;
use chrono::DateTime;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

fn plan(scope: &str, query: &str) -> Plan {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    let settings = Settings::default();
    let planner = Planner {
        registry: REGISTRY.get_or_init(|| Registry::r4().unwrap()),
        limits: &settings.limits,
        settings: &IndexSettings {
            zone: settings.default_zone,
            base_url: settings.base_url.clone(),
            indexes_content: true,
            link_days: Default::default(),
        },
        now: "2024-01-01T00:00:00Z".parse().unwrap(),
    };
    let scope = match ResourceType::parse(scope) {
        Some(kind) => SearchScope::Type(kind),
        None if scope.is_empty() => SearchScope::System,
        None => {
            let (key, kind) = scope.rsplit_once('/').unwrap();
            let key = ResourceKey::parse(key).unwrap();
            SearchScope::Compartment(key, ResourceType::parse(kind))
        }
    };
    let parameters: Vec<Parameter> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    planner.plan(&scope, &parameters, Handling::Strict).unwrap()
}

fn ucum_unit(code: &str) -> UnitOfMeasure {
    let system = "http://unitsofmeasure.org".to_owned();
    UnitOfMeasure { system, code: code.to_owned(), text: String::new() }
}

fn swap<A, B>((a, b): (A, B)) -> (B, A) {
    (b, a)
}

/// Ids as a database would give them, in order.
fn found(plan: &Plan) -> Found {
    let wanted = Wanted::of(plan);
    let mut ids = 1..;
    let mut next = || ids.next().unwrap();
    let mut found = Found {
        tokens: wanted.tokens.into_iter().map(|token| (token, next())).collect(),
        codes: wanted.codes.into_iter().map(|code| (code, vec![next(), next()])).collect(),
        systems: wanted.systems.into_iter().map(|system| (system, vec![next()])).collect(),
        references: wanted.references.into_iter().map(|key| (key, next())).collect(),
        units: match wanted.units.is_empty() {
            true => Vec::new(),
            false => ["mg", "g", "kg"].map(ucum_unit).into_iter().zip(1..).map(swap).collect(),
        },
        led_units: HashMap::new(),
        media_types: wanted.media_types.into_iter().map(|kind| (kind, vec![next()])).collect(),
        texts: wanted
            .texts
            .into_iter()
            .map(|text| (text, TextIds { texts: vec![next()], tokens: vec![next(), next()] }))
            .collect(),
        concepts: wanted
            .concepts
            .into_iter()
            .map(|asked| (asked, vec![next(), next(), next()]))
            .collect(),
    };
    let all = Permit::operator();
    let (parameters, _) = Query::of(plan, &found, &all).led_quantities();
    found.led_units = parameters.into_iter().map(|id| (ParameterId(id), vec![2])).collect();
    found
}

enum Of {
    Page,
    After,
    Before,
    Count,
    Estimate,
    Matching,
    /// A page after the first, as of that one.
    Later,
    /// What was changed since.
    Changed,
    /// Of which the criterion about other resources holds.
    Holding,
    /// What goes with a page of which a row was changed.
    Beside,
}

fn composed(scope: &str, query: &str, of: &Of, permit: &Permit) -> Statement {
    let mut plan = plan(scope, query);
    // The second key has no value there.
    let value = |at: usize| (at != 1).then(|| "2024-01-01 00:00:00+00".to_owned());
    let values: Vec<Option<String>> = (0..plan.sort.len().max(1)).map(value).collect();
    plan.after = match of {
        Of::After | Of::Later => Some(Cursor { values, rid: 7, is_backward: false }),
        Of::Before => Some(Cursor { values, rid: 7, is_backward: true }),
        _ => None,
    };
    let snapshot = Snapshot::parse("734:740:734,736", None).unwrap();
    let horizon = Horizon { epoch: 1, snapshot, total: None, now: DateTime::UNIX_EPOCH };
    plan.as_of = matches!(of, Of::Later).then(|| horizon.clone());
    let found = found(&plan);
    let query = Query::of(&plan, &found, permit);
    match of {
        Of::Changed => query.changed(&horizon, 2_001),
        Of::Holding => {
            let mut referring = Referring::default();
            referring.add(7, &ResourceKey::parse("Patient/1").unwrap());
            query.holding(plan.links()[0], referring).unwrap()
        }
        Of::Beside => {
            let urls = vec!["http://a/q|1".to_owned()];
            let canonicals = vec![(&plan.includes[0], urls)];
            let targets = vec![ResourceKey::parse("Patient/1").unwrap()];
            query.beside(&Shown { kept: vec![7], old: vec![8], targets, canonicals }, 1_000)
        }
        _ if !plan.includes.is_empty() => query.page_with_includes(51, 1_000),
        Of::Page | Of::After | Of::Before | Of::Later => query.page(51),
        Of::Count => query.count(),
        Of::Estimate => query.estimate(),
        Of::Matching => query.matching(2),
    }
}

const SHAPES: [(&str, &str, &str, Of); 78] = [
    ("type", "Patient", "", Of::Page),
    ("type-after", "Patient", "_sort=_lastUpdated", Of::After),
    ("system", "", "_tag=http://t|a", Of::Page),
    ("id", "Patient", "_id=a,b", Of::Page),
    ("last-updated", "Patient", "_lastUpdated=ge2024&_lastUpdated=ne2024-02", Of::Page),
    (
        "patient-code-sort-date",
        "Observation",
        "patient=Patient/1&code=http://l|1&_sort=-date",
        Of::Page,
    ),
    ("patient-code-after", "Observation", "patient=Patient/1&code=http://l|1", Of::After),
    ("patient-code-before", "Observation", "patient=Patient/1&code=http://l|1", Of::Before),
    ("code-date", "Observation", "code=http://l|1&date=ge2020&date=lt2021", Of::Page),
    ("code-count", "Observation", "code=http://l|1&status=final", Of::Count),
    ("code-estimate", "Observation", "code=1", Of::Estimate),
    ("identifier", "Patient", "identifier=urn:mrn|7&gender=male", Of::Matching),
    ("reference", "Observation", "encounter=Encounter/1&code=http://l|1", Of::Page),
    ("name", "Patient", "name=eve&family:exact=Dupr%&given:contains=a_", Of::Page),
    ("not-and-missing", "Patient", "gender:not=male,other&birthdate:missing=true", Of::Page),
    ("quantity", "Observation", "value-quantity=gt5.4|http://unitsofmeasure.org|mg", Of::Page),
    ("number", "RiskAssessment", "probability=0.8,ne0.1", Of::Page),
    ("uri-below", "ValueSet", "url:below=http://a/b", Of::Page),
    ("identifier-of-type", "Patient", "identifier:of-type=http://t|MR|7", Of::Page),
    ("uri", "ValueSet", "url=http://a", Of::Page),
    ("composite", "Observation", "component-code-value-quantity=http://l|1$lt60", Of::Page),
    ("combination", "Observation", "combo-code-value-quantity=http://l|1$60", Of::Page),
    ("chain-patient", "Observation", "patient.name=eve&code=http://l|1", Of::Page),
    ("chain", "Observation", "encounter.service-provider.name=a", Of::Page),
    ("chain-code", "MedicationRequest", "medication.code=http://l|1", Of::Page),
    ("chain-fenced", "Observation", "patient=1&performer:Practitioner.name=a", Of::Page),
    ("has-patient", "Patient", "_has:Observation:patient:code=http://l|1&gender=male", Of::Page),
    ("has", "Practitioner", "_has:Observation:performer:code=http://l|1", Of::Count),
    (
        "include-canonical",
        "QuestionnaireResponse",
        "_include=QuestionnaireResponse:questionnaire",
        Of::Page,
    ),
    ("list", "Observation", "_list=42&code=http://l|1", Of::Page),
    ("include", "Observation", "code=http://l|1&_include=Observation:subject", Of::Page),
    ("revinclude", "Patient", "_id=a&_revinclude=Observation:patient", Of::Page),
    (
        "include-iterate",
        "Observation",
        "_include=Observation:subject&_include:iterate=Patient:organization",
        Of::Page,
    ),
    ("second-date", "Condition", "recorded-date=ap2024-01-01", Of::Page),
    ("compartment", "Patient/1/Observation", "", Of::Page),
    ("compartment-all", "Patient/1/*", "", Of::Count),
    ("sort-name", "Patient", "_sort=family", Of::After),
    ("sort-code", "Observation", "_sort=-code&code=http://l|1", Of::Page),
    ("sort-several", "Observation", "_sort=status,-date,category", Of::After),
    (
        "sort-several-before",
        "Patient",
        "_sort=-_lastUpdated,family,general-practitioner",
        Of::Before,
    ),
    ("sort-several-of-code", "Observation", "code=http://l|1&_sort=-date,_id", Of::Page),
    ("sort-reference", "Observation", "_sort=-subject", Of::Page),
    (
        "filter-and",
        "Observation",
        "_filter=patient re Patient/1 and code eq http://l|1 and date ge 2020",
        Of::Page,
    ),
    (
        "filter-or",
        "Observation",
        "_filter=(code eq http://l|1 and value-quantity gt 5.4) or status eq final",
        Of::Page,
    ),
    (
        "filter-or-columns",
        "Patient",
        "_filter=(birthdate pr false and gender eq male) or (active pr true and death-date pr true)",
        Of::Count,
    ),
    (
        "filter-not",
        "Patient",
        "_filter=not (gender eq male and name sw a) and (active eq true or not (family eq b))",
        Of::Page,
    ),
    (
        "filter-strings",
        "Patient",
        "_filter=family eq a or given ew b_ or family ge c or family le d or given co e",
        Of::Matching,
    ),
    (
        "filter-unequal",
        "Patient",
        "_filter=gender ne male or identifier ne urn:mrn|7 or family ne a",
        Of::Page,
    ),
    (
        "filter-periods",
        "Patient",
        "_filter=birthdate po 2020 and death-date co 2020-01-01",
        Of::Page,
    ),
    ("filter-instant", "Patient", "_filter=_lastUpdated co 2020 or _lastUpdated po 2021", Of::Page),
    (
        "filter-links",
        "Observation",
        "_filter=encounter[status eq finished].service-provider[active eq true].name pr false \
         or subject.gender ne male",
        Of::Page,
    ),
    ("code-text", "Observation", "code:text=body&category:text=vital", Of::Page),
    ("code-text-fenced", "Patient", "identifier=a|b&identifier:text=medical", Of::Page),
    ("code-in", "Observation", "code:in=http://v", Of::Page),
    ("code-not-in", "Condition", "code:not-in=ValueSet/v&severity:below=http://s|1", Of::Count),
    ("media-type", "DocumentReference", "contenttype:below=text/xml", Of::Page),
    ("reference-below", "Procedure", "location:below=42", Of::Page),
    (
        "reference-above",
        "MedicationAdministration",
        "context:above=Encounter/21&status=completed",
        { Of::Count },
    ),
    ("code-after", "Observation", "code=http://l|1", Of::After),
    ("code-sort-date", "Observation", "code=http://l|1&_sort=date", Of::Page),
    ("type-sort-date", "Encounter", "_sort=date", Of::After),
    ("code-before", "Observation", "code=http://l|1&_sort=-date", Of::Before),
    ("text", "Condition", "_text=(bone or liver) and metas*", Of::Page),
    ("text-chain", "Observation", "patient._content=\"broken arm\"&code=http://l|1", Of::Page),
    ("as-of", "Patient", "_sort=-_lastUpdated", Of::Later),
    ("as-of-code", "Observation", "code=http://l|1&_sort=-date", Of::Later),
    ("as-of-system", "", "_tag=http://t|a", Of::Later),
    (
        "code-quantity",
        "Observation",
        "code=http://l|1&value-quantity=gt5.4|http://unitsofmeasure.org|mg&value-quantity=le6",
        Of::Page,
    ),
    ("near", "Location", "near=23.81|90.41|5|km&status=active", Of::Page),
    ("near-after", "Location", "near=0|179.9|1,89|0|200|[mi_i]&near=1|1&_sort=-near", Of::After),
    ("near-chain", "Encounter", "location.near=23.81|90.41", Of::Count),
    ("sort-url", "ValueSet", "_sort=-url", Of::Page),
    ("contained", "Observation", "code=http://l|1&status=final&_contained=true", Of::Page),
    ("contained-after", "Medication", "code=http://l|1&_contained=both&_sort=-status", Of::After),
    (
        "contained-itself",
        "Observation",
        "patient=1&value-quantity=gt5&_contained=both&_containedType=contained",
        Of::Before,
    ),
    ("contained-count", "Observation", "date=ge2020&_contained=both", Of::Count),
    ("contained-as-of", "Location", "name=a&_contained=true&_containedType=contained", Of::Later),
    ("sort-date-of-several", "", "_type=Condition,Observation&_sort=_lastUpdated", Of::Before),
];

/// Of a doctor who searches something, with the links of one.
fn doctor() -> Permit {
    let link = Link { key: ResourceKey::parse("Practitioner/d").unwrap(), rid: 77 };
    let principal = Principal {
        name: "account/d".to_owned(),
        client_id: "c".to_owned(),
        grant: 1,
        token_id: "t".to_owned(),
        scopes: Scopes::parse("user/*.rs").unwrap(),
        role: Role::Doctor,
        links: Links { fhir_user: Some(link), ..Links::default() },
        launch: Launch::default(),
        methods: Vec::new(),
        signed_in: None,
    };
    let interaction = Interaction::Search { scope: SearchScope::System, parameters: Vec::new() };
    Permit::authorize(&Caller::Principal(Arc::new(principal)), &interaction).unwrap()
}

fn by_stamps() -> Permit {
    Permit::operator().narrowed(RowFilter::of_stamps(vec![1], vec![2], vec![3]))
}

#[test]
fn every_shape_is_the_reviewed_one() {
    let stamps = by_stamps();
    let mut shapes: Vec<(&str, String)> = SHAPES
        .iter()
        .map(|(name, scope, query, of)| {
            let sql = composed(scope, query, of, &Permit::operator());
            (*name, format!("-- {scope}?{query}\n{}", readable(sql.text())))
        })
        .collect();
    for (name, scope, query, of) in [
        ("filtered-code", "Observation", "code=http://l|1", Of::Page),
        ("filtered-count", "Observation", "code=http://l|1", Of::Count),
        ("changed", "Observation", "patient=Patient/1&code=http://l|1", Of::Changed),
        ("changed-of-several", "", "_type=Patient,Observation", Of::Changed),
        ("holding-chain", "Observation", "subject:Patient.name=eve", Of::Holding),
        ("holding-has", "Patient", "_has:Observation:patient:code=http://l|1", Of::Holding),
        (
            "beside",
            "QuestionnaireResponse",
            "_include=QuestionnaireResponse:questionnaire&_revinclude=Provenance:target\
             &_include:iterate=Patient:organization",
            Of::Beside,
        ),
    ] {
        let sql = composed(scope, query, &of, &stamps);
        shapes.push((name, format!("-- {scope}?{query}\n{}", readable(sql.text()))));
    }
    for (name, scope, query, of) in [
        ("panel-code", "Observation", "code=http://l|1&_sort=-date", Of::Page),
        ("panel-date", "Encounter", "date=ge2024-01-01", Of::Count),
        ("doctor-any", "Appointment", "status=booked", Of::Page),
        ("doctor-includes", "Observation", "_id=a&_include=Observation:performer", Of::Page),
    ] {
        let sql = composed(scope, query, &of, &doctor());
        shapes.push((name, format!("-- a doctor: {scope}?{query}\n{}", readable(sql.text()))));
    }
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/search-sql"));
    for (name, text) in shapes {
        let file = folder.join(name).with_extension("sql");
        if std::env::var_os("BHN_BLESS").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, expected, "{name}; BHN_BLESS=1 writes the golden files anew");
    }
}

/// Line breaks before the parts of a statement.
fn readable(sql: &str) -> String {
    let mut text = sql.to_owned();
    for part in
        [" from resource r", " where ", " and (", " union all ", " order by ", " left join "]
    {
        text = text.replace(part, &format!("\n {}", part.trim_start()));
    }
    text + "\n"
}

/// Rows that need no filter of their own: another place of the statement has seen them already.
const SEEN_ELSEWHERE: [&str; 9] = [
    // What was found, and what contains it.
    "join resource r on r.rid = q.rid",
    "join resource m on m.rid = r.rid",
    // A row of the page or one that was reached, asked for its type and its references.
    "resource s where s.rid = ",
    "resource s cross join lateral unnest(s.keys) as k(key)",
    // Whether anything of a type was changed at all.
    "'changed' from resource c where ",
    // Sets of rows that the row `r`, which has a filter, is one of.
    "resource v where v.",
    // Type and id of what a row refers to, which its own text tells.
    "resource o where o.rid = (k & 281474976710655)",
    // Leads that values of rows are looked for by.
    "join resource h on h.rid = f.rid where f.lead = any(",
    // The last version of a row that has a filter; the version has one as `h`.
    "resource_history o where o.rid = r.rid",
];

/// How many rows of resources, versions and contained resources a statement has by each alias, and
/// for how many it has the filter.
fn rows_and_filters(sql: &str) -> Vec<(char, usize, usize)> {
    let mut of = Vec::new();
    for alias in 'a'..='z' {
        let tables = ["resource", "resource_history", "contained_match"];
        let named = |table: &&str| -> usize {
            let of = |end: &str| sql.matches(&format!(" {table} {alias}{end}")).count();
            of(" ") + of(")")
        };
        let rows: usize = tables.iter().map(named).sum();
        let seen = SEEN_ELSEWHERE.iter().filter(|one| {
            one.contains(&format!("resource {alias} "))
                || one.contains(&format!("history {alias} "))
        });
        let exempt: usize = seen.map(|one| sql.matches(one).count()).sum();
        let filters = sql.matches(&format!("({alias}.subject_rids && ")).count();
        of.push((alias, rows - exempt, filters));
    }
    of
}

#[test]
fn az_11_every_row_of_every_shape_has_the_row_filter() {
    let others = [
        ("include-all", "Observation", "_include=*&_revinclude=*", Of::Page),
        (
            "has-chain",
            "Patient",
            "_has:Observation:patient:performer:Practitioner.name=a",
            Of::Count,
        ),
        ("along-chain", "Encounter", "location.partof:below=1&_include:iterate=*", Of::Page),
    ];
    for (name, scope, query, of) in SHAPES.iter().chain(&others) {
        let sql = composed(scope, query, of, &by_stamps());
        // Who sees the container sees what it contains: `m` has the filter for such a row `r`.
        let contained = sql.text().matches("m.rid = r.container and (m.subject_rids").count();
        let mut checked = 0;
        for (alias, rows, filters) in rows_and_filters(sql.text()) {
            let of_containers = if alias == 'r' { contained } else { 0 };
            assert_eq!(rows, filters + of_containers, "{name} {alias}: {}", sql.text());
            checked += rows;
        }
        assert!(checked > 0, "{name}");
    }
}

#[test]
fn no_value_of_a_request_becomes_text() {
    let sql =
        composed("Patient", "name=zzz'zz&_id=qqq&identifier=a'b|c", &Of::Page, &Permit::operator());
    for value in ["zzz", "qqq", "a'b"] {
        assert!(!sql.text().contains(value));
    }
}
