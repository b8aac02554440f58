//! The searches that are measured: for each, SQL that draws values from the store and makes of
//! each the URL and the reference statement, which finds the same rows by hand.

/// Made once in the store that is measured, beside the server's own tables.
pub const FUNCTIONS: &str = "
create schema if not exists bench;
create or replace function bench.type(text) returns smallint stable language sql as
  'select type from resource_type where name = $1';
create or replace function bench.parameter(text) returns smallint stable language sql as
  'select parameter from parameter where url = ''http://hl7.org/fhir/SearchParameter/'' || $1';
create or replace function bench.lead(text, bigint) returns bigint stable language sql as
  'select bench.type($1)::bigint << 48 | $2';
create or replace function bench.key(text, bigint) returns bigint stable language sql as
  'select bench.parameter($1)::bigint << 48 | $2';
";

/// One search.
pub struct Search {
    pub name: &'static str,
    /// Rows of two columns: what follows `/fhir/`, and the reference statement. `{columns}`
    /// stands for [`COLUMNS`], `{codes}` for [`CODES`].
    pub draw: &'static str,
    /// The reference statement counts, and its number is the total of the answer.
    pub is_count: bool,
    /// Its matches are as many in a store ten times as large.
    pub is_selective: bool,
}

/// What the server reads of a match.
pub const COLUMNS: &str = "r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body";

/// Codes of Observations that lead, with how many each has.
pub const CODES: &str = "(select r.lead, t.token, t.system || '%7C' || t.code as code, count(*) as held \
     from resource r join token t on t.token = (r.lead & 281474976710655) \
     where r.type = bench.type('Observation') group by 1, 2, 3) c";

pub const SEARCHES: &[Search] = &[
    Search {
        name: "identifier",
        draw: "select 'Patient?identifier=' || v.system || '%7C' || v.value, format(
            'select {columns} from identifier_value v join resource r using (rid) \
             where v.value = %L and v.parameter = %s and v.system = %L and r.type = %s \
             and not r.deleted order by r.last_updated desc, r.rid desc limit 21',
            v.value, v.parameter, v.system, r.type)
          from identifier_value v join resource r using (rid)
          where v.parameter = bench.parameter('Patient-identifier')
          and r.type = bench.type('Patient') and v.system like '%us-ssn'
          order by md5(r.rid::text) limit 20",
        is_count: false,
        is_selective: true,
    },
    Search {
        name: "patient + code, sorted by date",
        draw: "select 'Observation?patient=' || p.id || '&code=' || t.system || '%7C' || t.code \
            || '&_sort=-date&_count=20', format(
            'select {columns} from resource r where r.patient = %s and r.type = %s \
             and not r.deleted and (r.lead = %s or (r.keys && array[%s]) is true) \
             order by r.date_low desc nulls last, r.rid desc limit 21',
            r.patient, r.type, r.lead, bench.key('clinical-code', t.token))
          from resource r join resource p on p.rid = r.patient
          join token t on t.token = (r.lead & 281474976710655)
          where r.type = bench.type('Observation') and t.code in ('29463-7', '55284-4', '8302-2')
          order by md5(r.rid::text) limit 20",
        is_count: false,
        is_selective: true,
    },
    Search {
        name: "code + date",
        draw: "select 'Observation?code=' || c.code || '&date=ge2014-01-01&date=lt2017&_count=20',
            format(
            'select * from ((select {columns}, r.date_low from resource r where r.lead = %s \
             and r.date_low >= %L and r.date_low < %L \
             order by r.date_low desc nulls last, r.rid desc limit 21) union all \
             (select {columns}, f.date_low from lead_value f join resource r on r.rid = f.rid \
             where f.lead = %s and f.date_low >= %L and f.date_low < %L \
             order by f.date_low desc nulls last, r.rid desc limit 21)) u \
             order by date_low desc nulls last, rid desc limit 21',
            c.lead, '2014-01-01Z', '2017-01-01Z', c.lead, '2014-01-01Z', '2017-01-01Z')
          from {codes} where c.held > 1000 order by c.code limit 20",
        is_count: false,
        is_selective: true,
    },
    Search {
        name: "name prefix",
        draw: "select 'Patient?name=' || s.start || '&_count=20', format(
            'select {columns} from resource r where r.type = %s and not r.deleted and r.rid in \
             (select v.rid from string_value v where v.parameter = %s and v.normalised >= %L \
             and v.normalised < %L) order by r.last_updated desc, r.rid desc limit 21',
            bench.type('Patient'), bench.parameter('Patient-name'), s.start, s.start || 'zzz')
          from (select distinct substr(v.normalised, 1, 5) as start from string_value v
            where v.parameter = bench.parameter('Patient-name')
            and v.normalised ~ '^[a-z]{5,}') s
          order by s.start limit 20",
        is_count: false,
        is_selective: false,
    },
    Search {
        name: "code + value-quantity",
        draw:
            "select 'Observation?code=' || c.code || '&value-quantity=gt' || q.low::numeric(9, 2) \
            || '%7Chttp://unitsofmeasure.org%7C' || replace(u.code, '%', '%25') || '&value-quantity=lt' \
            || q.low::numeric(9, 2) + 0.3 || '%7Chttp://unitsofmeasure.org%7C' || replace(u.code, '%', '%25') \
            || '&_count=20', format(
            'select {columns} from resource r where r.lead = %s \
             and r.rid in (select v.rid from quantity_value v where v.parameter = %s \
             and v.lead = %s and v.unit = %s and v.high > %s and v.low < %s) \
             order by r.date_low desc nulls last, r.rid desc limit 21',
            c.lead, q.parameter, c.lead, q.unit, q.low::numeric(9, 2), q.low::numeric(9, 2) + 0.3)
          from {codes} cross join lateral (select v.* from resource r
            join quantity_value v on v.rid = r.rid
            where r.lead = c.lead and v.parameter = bench.parameter('Observation-value-quantity')
            order by r.date_low, r.rid limit 10) q join unit u on u.unit = q.unit
          where c.code ~ '(2339-0|2093-3|29463-7|4548-4)$' order by md5(q.rid::text) limit 20",
        is_count: false,
        is_selective: false,
    },
    Search {
        name: "chain by name, and code",
        draw: "select 'Observation?patient.name=' || s.start || '&code=' || c.code || '&_count=20',
            format(
            'select {columns} from resource r where r.type = %s \
             and r.lead = %s and r.patient in (select p.rid from string_value v \
             join resource p using (rid) where v.parameter = %s and v.normalised >= %L \
             and v.normalised < %L and p.type = %s and not p.deleted) \
             order by r.date_low desc nulls last, r.rid desc limit 21',
            bench.type('Observation'), c.lead, bench.parameter('Patient-name'), s.start,
            s.start || 'zzz', bench.type('Patient'))
          from (select distinct substr(v.normalised, 1, 5) as start from string_value v
            where v.parameter = bench.parameter('Patient-name')
            and v.normalised ~ '^[a-z]{5,}' order by 1 limit 10) s, {codes}
          where c.code ~ '(29463-7|55284-4)$' limit 20",
        is_count: false,
        is_selective: false,
    },
    Search {
        name: "chain by identifier, and code",
        draw: "select 'Observation?patient.identifier=' || v.system || '%7C' || v.value \
            || '&code=http://loinc.org%7C' || t.code || '&_count=20', format(
            'select {columns} from resource r where r.type = %s \
             and r.lead = %s and r.patient in (select p.rid from identifier_value v \
             join resource p using (rid) where v.parameter = %s and v.value = %L \
             and v.system = %L and p.type = %s and not p.deleted) \
             order by r.date_low desc nulls last, r.rid desc limit 21',
            bench.type('Observation'), bench.lead('Observation', t.token), v.parameter, v.value,
            v.system, r.type)
          from identifier_value v join resource r using (rid), token t
          where v.parameter = bench.parameter('Patient-identifier') and t.code = '29463-7'
          and t.system = 'http://loinc.org' and r.type = bench.type('Patient') and v.system like '%us-ssn'
          order by md5(r.rid::text) limit 20",
        is_count: false,
        is_selective: true,
    },
    Search {
        name: "_has",
        draw: "select 'Patient?_has:Observation:patient:code=' || c.code \
            || '&gender=' || g.code || '&_count=20', format(
            'select {columns} from resource r where r.lead = %s \
             and exists (select from resource o where o.patient = r.rid \
             and o.type = %s and o.lead = %s) \
             order by r.date_low desc nulls last, r.rid desc limit 21',
            bench.lead('Patient', g.token),
            bench.type('Observation'), c.lead)
          from {codes}, (select * from token
            where code in ('male', 'female') and system = '') g
          where c.held > 1000 order by c.code, g.code limit 20",
        is_count: false,
        // Patients who have a common code: as many more as the store is larger.
        is_selective: false,
    },
    Search {
        name: "_include, 20 and 20 rows",
        draw: "select 'Observation?code=' || c.code || '&_sort=-date&_count=20\
            &_include=Observation:encounter', format(
            'with page as materialized (select {columns}, r.keys from resource r \
             where r.lead = %s \
             order by r.date_low desc nulls last, r.rid desc limit 21) \
             select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body \
             from (select * from page limit 20) r union all select {columns} from resource r \
             where r.rid in (select k.key & 281474976710655 from (select * from page limit 20) p, unnest(p.keys) k(key) \
             where k.key >> 48 = %s) and not r.deleted',
            c.lead, bench.parameter('clinical-encounter'))
          from {codes} where c.held > 1000 order by c.code limit 20",
        is_count: false,
        is_selective: true,
    },
    Search {
        name: "_revinclude, 20 and 20 rows",
        draw: "select 'Encounter?patient=' || p.id || '&_sort=-date&_count=20\
            &_revinclude=ExplanationOfBenefit:encounter', format(
            'with page as materialized (select {columns} from resource r \
             where r.type = %s and r.patient = %s and not r.deleted \
             order by r.date_low desc nulls last, r.rid desc limit 21) \
             select * from (select * from page limit 20) r union all select {columns} \
             from resource r where r.keys && array(select %s::bigint << 48 | p.rid from (select * from page limit 20) p) \
             and r.type = %s and not r.deleted',
            bench.type('Encounter'), p.rid,
            bench.parameter('ExplanationOfBenefit-encounter'), bench.type('ExplanationOfBenefit'))
          from resource p where p.type = bench.type('Patient') and (select count(*) from resource e
            where e.patient = p.rid and e.type = bench.type('Encounter')) >= 21
          order by md5(p.rid::text) limit 20",
        is_count: false,
        is_selective: true,
    },
    Search {
        name: "_total=accurate of a common code",
        draw: "select 'Observation?code=' || c.code || '&_summary=count', format(
            'select count(*) from resource r where r.lead = %s', c.lead)
          from {codes} order by c.held desc limit 1",
        is_count: true,
        is_selective: false,
    },
];
