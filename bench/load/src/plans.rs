//! `bhn-bench plans`: what the planner of the database makes of each search in a large store, as
//! the operation `$explain` shows it. No table is read from end to end, no whole type is sorted,
//! and the searches that everybody makes touch few pages. The same for each golden shape, by the
//! plans that the database really ran (`shapes.rs`).

use crate::asking::Asking;
use crate::client::Client;
use crate::faults::{self, MOST_ROWS, faults};
use crate::made;
use crate::search::Side;
use crate::searches::SEARCHES;
use crate::server::Server;
use crate::shapes::{Ask, SHAPES, Shape};
use crate::skeleton::skeleton;
use crate::statements::{self, Ran};
use crate::synthea::Synthea;
use crate::work::Work;
use crate::{Options, Row};
use serde_json::Value;
use std::path::Path;

/// Cases of each search that are looked at.
const CASES: usize = 5;

/// Pages of the database that one page of these searches touches, at most.
const MOST_PAGES: [(&str, f64); 3] =
    [("identifier", 10.0), ("patient + code, sorted by date", 40.0), ("code + date", 80.0)];

/// Searches beside those that are measured.
const OTHERS: [&str; 13] = [
    "Observation?_count=20",
    "Observation?_sort=_lastUpdated&_count=20",
    "Encounter?date=2014-05&_count=20",
    "Encounter?date=ge2013-01-01&date=lt2013-01-08&_count=20",
    "Encounter?_sort=-date&_count=20",
    "Observation?date=sa2013&_count=20",
    "Observation?code=29463-7&date=2012-03&_count=20",
    "Observation?code=http://loinc.org%7C29463-7,http://loinc.org%7C8302-2&_sort=-date&_count=20",
    "Observation?status=final&_count=20",
    "Patient?gender=female&birthdate=lt1950&_count=20",
    "Patient?family:exact=Abbott&_count=20",
    "Patient?gender:not=male&_count=20",
    "Patient?_has:Condition:patient:code=http://snomed.info/sct%7C44054006&_count=20",
];

/// What one search came to.
struct Looked {
    pages: f64,
    faults: Vec<String>,
}

/// Rows for the searches with a bound of pages, and one for all faults.
pub fn check(options: &Options, data: &Path) -> Result<Vec<Row>, String> {
    let side = Side::open(options, data, options.resources)?;
    made::fill(&side.server, &Work::new(Synthea::read(&options.synthea)?))?;
    let mut client = Client::connect(&side.server.host)?;
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    for (search, cases) in SEARCHES.iter().zip(&side.cases) {
        let mut pages = 0.0_f64;
        for case in cases.iter().take(CASES) {
            let looked = look(&mut client, case.path.trim_start_matches("/fhir/"))?;
            pages = pages.max(looked.pages);
            faults.extend(looked.faults);
        }
        eprintln!("{}: {pages:.0} pages", search.name);
        if let Some((_, most)) = MOST_PAGES.iter().find(|(name, _)| *name == search.name) {
            rows.push(Row {
                name: format!("{}, {} resources", search.name, side.resources),
                limit: *most,
                unit: " pages",
                found: pages,
                note: "of the database, for one page".to_owned(),
            });
        }
    }
    for search in OTHERS {
        let looked = look(&mut client, search)?;
        eprintln!("{search}: {:.0} pages", looked.pages);
        faults.extend(looked.faults);
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    rows.push(Row {
        name: "tables read from end to end, types sorted".to_owned(),
        limit: 0.0,
        unit: "",
        found: faults.len() as f64,
        note: String::new(),
    });
    rows.push(estimates(&mut client)?);
    statements::tell(&side.server)?;
    drop(side);
    let server = Server::start(&options.binary, data)?;
    rows.push(shapes(&server, (options, data))?);
    statements::tell_no_more(&server)?;
    Ok(rows)
}

/// Searches whose estimated total is compared with the number of their matches.
const ESTIMATED: [&str; 9] = [
    "Observation?",
    "Encounter?status=finished",
    "Observation?code=http://loinc.org%7C29463-7",
    "Observation?code=29463-7,8302-2",
    "Observation?code=http://made.example/further%7Coften",
    "Observation?code=http://loinc.org%7C29463-7&date=ge2014",
    "Encounter?date=ge2014&date=lt2015",
    "Condition?code=http://snomed.info/sct%7C44054006",
    "Patient?gender=female",
];

/// How far the worst estimate is off: at most twice or half of what there is.
fn estimates(client: &mut Client) -> Result<Row, String> {
    let mut total = |search: &str, as_what: &str| -> Result<f64, String> {
        let reply = client.send("GET", &format!("/fhir/{search}&{as_what}"), b"")?;
        let bundle: Value = serde_json::from_slice(&reply.body).map_err(|e| e.to_string())?;
        bundle["total"].as_f64().ok_or(format!("{search}: no total"))
    };
    let mut worst = 1.0_f64;
    for search in ESTIMATED {
        let estimated = total(search, "_total=estimate&_count=1")?.max(1.0);
        let accurate = total(search, "_summary=count")?.max(1.0);
        eprintln!("{search}: about {estimated}, {accurate}");
        worst = worst.max(estimated / accurate).max(accurate / estimated);
    }
    Ok(Row {
        name: "_total=estimate".to_owned(),
        limit: 2.0,
        unit: " × the number",
        found: worst,
        note: format!("the worst of {}", ESTIMATED.len()),
    })
}

/// A row for the faults of all golden shapes.
fn shapes(server: &Server, (options, data): (&Options, &Path)) -> Result<Row, String> {
    let mut asking = Asking::begin(server, data)?;
    let mut found = 0;
    let is_wanted =
        |shape: &&Shape| options.only.as_ref().is_none_or(|only| shape.name.contains(only));
    for shape in SHAPES.iter().filter(is_wanted) {
        let Looked { pages, faults } = match shape_faults(&mut asking, shape) {
            Ok(looked) => looked,
            // Of which no reason allows anything.
            Err(error) => {
                let is_timeout = shape.reads_all.is_some() && error.contains(": 503 ");
                found += if is_timeout { 0 } else { 1 };
                Looked { pages: 0.0, faults: vec![error] }
            }
        };
        eprintln!("{}: {pages:.0} pages", shape.name);
        for fault in &faults {
            eprintln!("  {fault}");
        }
        if let Some(why) = shape.reads_all {
            eprintln!("  allowed: {why}");
        }
        found += if shape.reads_all.is_some() || pages == 0.0 { 0 } else { faults.len() };
    }
    Ok(Row {
        name: "golden shapes: tables read from end to end, types sorted or read".to_owned(),
        limit: 0.0,
        unit: "",
        found: found as f64,
        note: format!("{} shapes", SHAPES.len()),
    })
}

fn shape_faults(asking: &mut Asking<'_>, shape: &Shape) -> Result<Looked, String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/search-sql");
    let golden = std::fs::read_to_string(format!("{folder}/{}.sql", shape.name));
    let golden = golden.map_err(|error| error.to_string())?;
    let mut looked = Looked { pages: 0.0, faults: Vec::new() };
    let mut others: Vec<String> = Vec::new();
    let mut is_run = shape.differs.is_some();
    for ask in shape.asks {
        let ran = asking.ask(ask, &golden)?;
        looked.pages += ran.iter().map(|one| faults::pages(&one.plan)).sum::<f64>();
        looked.faults.extend(ran.iter().flat_map(|one| faults(&one.plan)));
        let is_it = |one: &Ran| skeleton(&one.text) == skeleton(&golden);
        is_run |= matches!(ask, Ask::Refused(_)) || ran.iter().any(is_it);
        others.extend(ran.into_iter().map(|one| one.text));
    }
    if !is_run {
        return Err(format!("none of this shape among: {}", others.join("\n    ")));
    }
    Ok(looked)
}

fn look(client: &mut Client, search: &str) -> Result<Looked, String> {
    let (kind, query) = search.split_once('?').unwrap_or((search, ""));
    let path = format!("/fhir/{kind}/$explain?{query}");
    let reply = client.send("GET", &path, b"")?;
    let answer: Value = serde_json::from_slice(&reply.body).map_err(|error| error.to_string())?;
    if reply.status != 200 {
        return Err(format!("{path}: {answer}"));
    }
    let mut looked = Looked { pages: 0.0, faults: Vec::new() };
    for statement in parts(&answer["parameter"], "statement") {
        let number = |name| first(&statement["part"], name)["valueDecimal"].as_f64();
        looked.pages += number("pagesHit").unwrap_or(0.0) + number("pagesRead").unwrap_or(0.0);
        let plan = first(&statement["part"], "plan")["valueString"].as_str().unwrap_or_default();
        let lines: Vec<&str> = plan.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            let is_scan = line.starts_with("Seq Scan") && rows_of(line) > MOST_ROWS;
            let below = lines.get(index + 1).copied().unwrap_or_default();
            let is_sort = line.starts_with("Sort") && rows_of(below) > MOST_ROWS;
            if is_scan || is_sort {
                looked.faults.push(format!("{search}: {line}; {below}"));
            }
        }
    }
    Ok(looked)
}

/// Rows of a line such as `Sort: 21 rows, 44 expected, 1 loops, ...`, of all loops.
fn rows_of(line: &str) -> f64 {
    let number = |unit: &str| {
        let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let at = words.iter().position(|word| *word == unit)?;
        words.get(at.checked_sub(1)?)?.parse::<f64>().ok()
    };
    number("rows").unwrap_or(0.0) * number("loops").unwrap_or(1.0)
}

fn parts<'a>(list: &'a Value, name: &str) -> Vec<&'a Value> {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter(|part| part["name"] == name).collect()
}

fn first<'a>(list: &'a Value, name: &str) -> &'a Value {
    parts(list, name).first().copied().unwrap_or(&Value::Null)
}
