//! For each golden shape of `tests/golden/search-sql` the request that makes the server run such
//! a statement. A test holds the table to the folder.

/// How a shape is had.
#[derive(Clone, Copy)]
pub enum Ask {
    Get(&'static str),
    /// The page after.
    Next(&'static str),
    /// The page after, and then the one before that.
    Previous(&'static str),
    /// The page after, once one of its matches was changed.
    Changed(&'static str),
    /// A create with these criteria for `If-None-Exist`: type and query.
    Matching(&'static str, &'static str),
    /// Refused as too costly: nothing is run.
    Refused(&'static str),
    /// The golden statement itself with these values, and what they are drawn by.
    Statement(&'static str),
}

pub struct Shape {
    /// Of the golden file.
    pub name: &'static str,
    pub asks: &'static [Ask],
    /// Why the statement that is run has another text than the golden one, for the values of
    /// the store.
    pub differs: Option<&'static str>,
    /// Why it may read or sort more than a page needs, and what bounds it.
    pub reads_all: Option<&'static str>,
}

/// What `{name}` stands for in a request, as SQL.
pub const VALUES: &[(&str, &str)] = &[
    (
        "patient",
        "select p.id from resource o join resource p on p.rid = o.patient
         where o.lead = (select bench.lead('Observation', token) from token
           where code = '29463-7' and system = 'http://loinc.org')
         group by p.id order by count(*) desc, p.id limit 1",
    ),
    (
        "encounter",
        "select e.id from resource o join resource e
         on e.rid = (select k & 281474976710655 from unnest(o.keys) k
           where k >> 48 = bench.parameter('clinical-encounter'))
         where o.lead = (select bench.lead('Observation', token) from token
           where code = '29463-7' and system = 'http://loinc.org') limit 1",
    ),
    (
        "mrn",
        "select value from identifier_value where system = 'http://hospital.smarthealthit.org'
         limit 1",
    ),
    (
        "provider",
        "select v.raw from string_value v join resource r using (rid)
         where r.type = bench.type('Organization') and v.raw like '% HOSPITAL%' order by 1 limit 1",
    ),
    ("list", "select id from resource where type = bench.type('List') order by rid limit 1"),
    (
        "place",
        "select id from resource where type = bench.type('Location')
         and not present @> array[bench.parameter('Location-partof')] order by rid limit 1",
    ),
    (
        "part",
        "select id from resource where type = bench.type('Encounter')
         and present @> array[bench.parameter('Encounter-part-of')] order by rid limit 1",
    ),
];

const fn of(name: &'static str, asks: &'static [Ask]) -> Shape {
    Shape { name, asks, differs: None, reads_all: None }
}

impl Shape {
    const fn differs(self, why: &'static str) -> Shape {
        Shape { differs: Some(why), ..self }
    }

    const fn reads_all(self, why: &'static str) -> Shape {
        Shape { reads_all: Some(why), ..self }
    }
}

/// Why a shape may read or sort more than a page needs; the time of a statement bounds each.
const NEWEST_FIRST: &str = "reads in order what is newer than the matches; the index of keys \
     would read all that have the key";
const COUNTS: &str = "counts rows by conditions that the index does not have: it reads each";
const WITHIN: &str = "what is within a text has no index: it reads the strings of one parameter";
const NEARLY_ALL: &str = "finds nearly all of the type by an index of values, and sorts it";
const HAS_NONE: &str =
    "no index has what rows lack: it reads the type in order until a page is full";
const SORTS_VALUES: &str = "an order by values beside the row is made anew for each page; several \
     keys are refused beyond a number of matches";
const LINKS: &str = "what links lead to is found first, however much it is";
const BLOCKS: &str = "rows of URLs are found by blocks of 16 pages, for the page at once";
const EITHER: &str = "alternatives on different indexes are found first, however many they are";
const NO_CODE: &str =
    "quantities are indexed by the code of their row: of no code all in range are read";
const FILTERS: &str = "who may see little of a common code reads its rows until a page is full";

use Ask::{Changed, Get, Matching, Next, Previous, Refused, Statement};

pub const SHAPES: &[Shape] = &[
    of("type", &[Get("/Patient")]),
    of("type-after", &[Next("/Patient?_sort=_lastUpdated")]),
    of(
        "system",
        &[
            Get("?_tag=https://smarthealthit.org/tags|synthea-5-2019"),
            Get("?_tag=https://smarthealthit.org/tags|nobody-has-it"),
        ],
    )
    .reads_all(NEWEST_FIRST),
    of("id", &[Get("/Patient?_id={patient},nobody")]),
    of("last-updated", &[Get("/Patient?_lastUpdated=ge2024&_lastUpdated=ne2024-02")]),
    of(
        "patient-code-sort-date",
        &[Get("/Observation?patient=Patient/{patient}&code=http://loinc.org|29463-7&_sort=-date")],
    ),
    of(
        "patient-code-after",
        &[Next("/Observation?patient=Patient/{patient}&code=http://loinc.org|29463-7&_count=3")],
    ),
    of(
        "patient-code-before",
        &[Previous(
            "/Observation?patient=Patient/{patient}&code=http://loinc.org|29463-7&_count=3",
        )],
    ),
    of("code-date", &[Get("/Observation?code=http://loinc.org|29463-7&date=ge2012&date=lt2013")]),
    of(
        "code-count",
        &[Get("/Observation?code=http://loinc.org|29463-7&status=final&_summary=count")],
    )
    .reads_all(COUNTS),
    of("code-estimate", &[Get("/Observation?code=29463-7&_total=estimate")]),
    of("identifier", &[Matching("Patient", "identifier=urn:made|P7&gender=male")]),
    of(
        "reference",
        &[Get("/Observation?encounter=Encounter/{encounter}&code=http://loinc.org|29463-7")],
    ),
    of("name", &[Get("/Patient?name=rahm&family:exact=Rahman 6&given:contains=6")])
    .reads_all(WITHIN),
    of("not-and-missing", &[Get("/Patient?gender:not=male,other&birthdate:missing=true")])
    .reads_all(HAS_NONE),
    of("quantity", &[Get("/Observation?value-quantity=gt150|http://unitsofmeasure.org|kg")])
    .differs("as many units as the store has"),
    of("number", &[Get("/RiskAssessment?probability=0.8,ne0.1")])
    .reads_all(NEARLY_ALL),
    of("uri-below", &[Get("/ValueSet?url:below=http://made.example/3")]),
    of(
        "identifier-of-type",
        &[Get(
            "/Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|{mrn}",
        )],
    ),
    of("uri", &[Get("/ValueSet?url=http://made.example/3/ValueSet/10")]),
    of(
        "composite",
        &[Get("/Observation?component-code-value-quantity=http://loinc.org|8480-6$lt60")],
    ),
    of("combination", &[Get("/Observation?combo-code-value-quantity=http://loinc.org|8480-6$110")]),
    of("chain-patient", &[Get("/Observation?patient.name=abbott&code=http://loinc.org|29463-7")]),
    of("chain", &[Get("/Observation?encounter.service-provider.name={provider}")])
    .reads_all(LINKS),
    of("chain-code", &[Get("/MedicationDispense?medication.code=http://made.example|m1")]),
    of("chain-fenced", &[Get("/Observation?patient={patient}&performer:Practitioner.name=a")]),
    of(
        "has-patient",
        &[Get("/Patient?_has:Observation:patient:code=http://loinc.org|29463-7&gender=male")],
    )
    .differs("as many codes of that name as the store has")
    .reads_all(LINKS),
    of(
        "has",
        &[Get("/Practitioner?_has:Observation:performer:code=http://made.example/main|m1\
             &_summary=count")],
    ),
    of(
        "include-canonical",
        &[Get("/QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire")],
    )
    .reads_all(BLOCKS),
    of("list", &[Get("/Observation?_list={list}&code=http://made.example/main|m1")]),
    of(
        "include",
        &[Get("/Observation?code=http://loinc.org|29463-7&_include=Observation:subject")],
    ),
    of("revinclude", &[Get("/Patient?_id={patient}&_revinclude=Observation:patient")]),
    of(
        "include-iterate",
        &[Get("/Observation?_include=Observation:subject&_include:iterate=Patient:organization")],
    ),
    of("second-date", &[Get("/Condition?recorded-date=ap2014-01-01")]),
    of("compartment", &[Get("/Patient/{patient}/Observation")]),
    of("compartment-all", &[Get("/Patient/{patient}/*?_summary=count")]),
    of("sort-name", &[Next("/Patient?_sort=family")])
    .reads_all(SORTS_VALUES),
    of("sort-code", &[Get("/Observation?_sort=-code&code=http://loinc.org|29463-7")])
    .reads_all(SORTS_VALUES),
    of("sort-several", &[Refused("/Observation?_sort=status,-date,category")]),
    of(
        "sort-several-before",
        &[Previous("/Patient?_sort=-_lastUpdated,family,general-practitioner")],
    )
    .differs("a cursor whose second value is there")
    .reads_all(SORTS_VALUES),
    of(
        "sort-several-of-code",
        &[Get("/Observation?code=http://loinc.org|29463-7&_sort=-date,_id")],
    ),
    of("sort-reference", &[Get("/Observation?_sort=-subject")])
    .reads_all(SORTS_VALUES),
    of(
        "filter-and",
        &[Get(
            "/Observation?_filter=patient re Patient/{patient} and code eq http://loinc.org|29463-7 \
             and date ge 2010",
        )],
    ),
    of(
        "filter-or",
        &[Get(
            "/Observation?_filter=(code eq http://loinc.org|29463-7 and value-quantity gt 150) \
             or status eq final",
        )],
    )
    .reads_all(EITHER),
    of(
        "filter-or-columns",
        &[Get("/Patient?_filter=(birthdate pr false and gender eq male) or (active pr true and \
             death-date pr true)&_summary=count")],
    )
    .reads_all(COUNTS),
    of(
        "filter-not",
        &[Get("/Patient?_filter=not (gender eq male and name sw a) and (active eq true or \
             not (family eq b))")],
    ),
    of(
        "filter-strings",
        &[Matching(
            "Patient",
            "_filter=family eq a or given ew b_ or family ge z or family le a or given co e9",
        )],
    )
    .reads_all(WITHIN),
    of(
        "filter-unequal",
        &[Get("/Patient?_filter=gender ne male or identifier ne urn:made|P7 or family ne a")],
    )
    .reads_all(NEARLY_ALL),
    of("filter-periods", &[Get("/Patient?_filter=birthdate po 1990 and death-date co 2010-01-01")]),
    of("filter-instant", &[Get("/Patient?_filter=_lastUpdated co 2020 or _lastUpdated po 2030")]),
    of(
        "filter-links",
        &[Get(
            "/Observation?_filter=encounter[status eq finished].service-provider[active eq true]\
             .name pr false or subject.gender ne male",
        )],
    )
    .reads_all(LINKS),
    of("code-text", &[Get("/Observation?code:text=body&category:text=vital")])
    .reads_all(NEWEST_FIRST),
    of("code-text-fenced", &[Get("/Patient?identifier=urn:made|P7&identifier:text=medical")]),
    of("code-in", &[Get("/Observation?code:in=http://made.example/weights")])
    .reads_all(NEWEST_FIRST),
    of(
        "code-not-in",
        &[Get("/Condition?code:not-in=http://made.example/weights\
             &clinical-status:below=http://terminology.hl7.org/CodeSystem/condition-clinical\
             |inactive&_summary=count")],
    ),
    of("media-type", &[Get("/DocumentReference?contenttype:below=text/xml")]),
    of("reference-below", &[Get("/Procedure?location:below={place}")]),
    of(
        "reference-above",
        &[Get("/MedicationAdministration?context:above=Encounter/{part}&status=completed\
             &_summary=count")],
    ),
    of("code-after", &[Next("/Observation?code=http://loinc.org|29463-7")]),
    of(
        "code-quantity",
        &[Get(
            "/Observation?code=http://loinc.org|29463-7\
             &value-quantity=gt5.4|http://unitsofmeasure.org|kg&value-quantity=le6",
        )],
    )
    .differs("as many units as the store has"),
    of("code-sort-date", &[Get("/Observation?code=http://loinc.org|29463-7&_sort=date")]),
    of("type-sort-date", &[Next("/Encounter?_sort=date"), Previous("/Encounter?_sort=date")]),
    of("code-before", &[Previous("/Observation?code=http://loinc.org|29463-7&_sort=-date")]),
    of("text", &[Get("/CarePlan?_text=(bone or care) and pla*")]),
    of(
        "text-chain",
        &[Get("/Observation?patient._text=\"person seed 3476548471966640375\"&code=http://loinc.org|29463-7")],
    )
    .differs("words of narratives; those of contents are not indexed here"),
    of("as-of", &[Next("/Patient?_sort=-_lastUpdated")]),
    of("as-of-code", &[Next("/Observation?code=http://loinc.org|29463-7&_sort=-date")]),
    of("as-of-system", &[Next("?_tag=https://smarthealthit.org/tags|synthea-5-2019")]),
    of("contained", &[Get("/Medication?code=http://made.example|m1&status=active&_contained=true")]),
    of("contained-after", &[Next("/Medication?code=http://made.example|m1&_contained=both&_sort=-status")]),
    of("contained-count", &[Get("/Observation?date=ge2030&_contained=both&_summary=count")]),
    of(
        "contained-itself",
        &[Previous(
            "/Observation?patient=Patient/{patient}&value-quantity=gt5&_contained=both\
             &_containedType=contained&_count=5",
        )],
    )
    .reads_all(NO_CODE),
    of(
        "contained-as-of",
        &[Next("/Location?name=ward 1&_contained=true&_containedType=contained")],
    ),
    of("near", &[Get("/Location?near=23.81|90.41|500|km&status=active")]),
    of(
        "near-after",
        &[Next("/Location?near=0|179.9|900,89|0|900|[mi_i]&near=1|179|1000&_sort=-near&_count=5")],
    ),
    of("near-chain", &[Get("/Encounter?location.near=23.81|90.41|500&_summary=count")]),
    of("sort-url", &[Get("/ValueSet?_sort=-url")])
    .reads_all(SORTS_VALUES),
    of("sort-date-of-several", &[Previous("?_type=Condition,Observation&_sort=_lastUpdated")]),
    of("filtered-code", &[Statement(FILTERED)])
    .reads_all(FILTERS),
    of("filtered-count", &[Statement(FILTERED)])
    .reads_all(FILTERS),
    of(
        "changed",
        &[Changed("/Observation?patient=Patient/{patient}&code=http://loinc.org|29463-7&_count=3")],
    ),
    of("changed-of-several", &[Changed("?_type=Patient,Observation&_count=20")]),
    of("holding-chain", &[Changed("/Observation?subject:Patient.name=abbott&_count=20")]),
    of(
        "holding-has",
        &[Changed("/Patient?_has:Observation:patient:code=http://loinc.org|29463-7&_count=20")],
    )
    .reads_all(LINKS),
    of(
        "beside",
        &[Changed(
            "/QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire\
             &_revinclude=Provenance:target&_include:iterate=Patient:organization&_count=20",
        )],
    )
    .reads_all(BLOCKS),
];

/// The values of a search by code of somebody who may see one patient: a row for all, as literals.
const FILTERED: &str = "select o.lead, array[o.patient], array[0::bigint], array[0::bigint],
     o.lead, array[o.patient], array[0::bigint], array[0::bigint]
   from resource o where o.lead = (select bench.lead('Observation', token) from token
     where code = '29463-7' and system = 'http://loinc.org') limit 1";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_golden_shape_has_a_request_and_no_other() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/search-sql");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        let shapes: BTreeSet<String> = SHAPES.iter().map(|shape| shape.name.to_owned()).collect();
        assert_eq!(files, shapes);
        assert_eq!(shapes.len(), SHAPES.len());
    }
}
