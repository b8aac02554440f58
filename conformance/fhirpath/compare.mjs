// Compares what the server extracts for R4's search parameters with what fhirpath.js finds.
//
//   BHN_EXTRACTION=/tmp/ours.ndjson cargo test --lib fhirpath::path::golden
//   npm install && node compare.mjs /tmp/ours.ndjson
//
// Differences must be in known-differences.txt: `Type.code` or `*.code`, then the reason. The
// list may only shrink.
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4/index.js';

const here = import.meta.dirname;
const root = path.join(here, '../..');
const lines = (file) => fs.readFileSync(file);
const ndjson = (bytes) => bytes.toString('utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l));
const unpacked = (file) => ndjson(zlib.gunzipSync(lines(path.join(root, file))));

const resources = unpacked('tests/data/r4-examples/examples.ndjson.gz');
const parameters = unpacked('fhir-profiles/r4/search-parameters.ndjson.gz').filter(
  (p) => p.resourceType === 'SearchParameter' && p.expression,
);
const ours = new Map();
for (const row of ndjson(lines(process.argv[2]))) {
  ours.set(`${row.resource} ${row.code}`, row.values);
}

const notDomain = ['Bundle', 'Binary', 'Parameters'];
const isBase = (p, type) =>
  p.base.some((b) => b === type || b === 'Resource' || (b === 'DomainResource' && !notDomain.includes(type)));

// Where the other engine cannot be asked as the parameter is written:
// - it would fetch the target of resolve(); the server reads the type from the reference;
// - it finds nothing under `Resource.` on a concrete resource;
// - its `as` refuses collections, which R4's parameters narrow with it.
const askable = (e) =>
  e.replaceAll(/resolve\(\) is (\w+)/g, (_, t) => `(reference.startsWith('${t}/') or reference.contains('/${t}/'))`)
    .replaceAll(/\b(Domain)?Resource\./g, '')
    .replaceAll(/\.as\((\w+)\)/g, '.ofType($1)')
    .replaceAll(/ as (\w+)/g, '.ofType($1)');

// Alternatives for other types cost the other engine much and find nothing.
const alternatives = (e, type) =>
  e.split('|').map((a) => a.trim()).filter((a) => {
    const head = a.replace(/^\(+/, '').match(/^[A-Z]\w*/)?.[0];
    return !head || [type, 'Resource', 'DomainResource'].includes(head);
  }).join(' | ');

const compiled = new Map();
function evaluate(resource, expression) {
  const source = askable(alternatives(expression, resource.resourceType));
  if (!source) return [];
  if (!compiled.has(source)) compiled.set(source, fhirpath.compile(source, r4, { resolveInternalTypes: true }));
  return compiled.get(source)(resource);
}

// Numbers keep their digits in the server and not in JavaScript; objects differ in key order.
const canonical = (value) => {
  if (Array.isArray(value)) return value.map(canonical);
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.keys(value).sort().map((k) => [k, canonical(value[k])]));
  }
  return value;
};
// `|` removes equal items in one engine and not in the other.
const set = (values) => [...new Set(values.map((v) => JSON.stringify(canonical(v))))].sort();

const differing = new Map();
let compared = 0;
for (const [place, resource] of resources.entries()) {
  for (const p of parameters.filter((p) => isBase(p, resource.resourceType))) {
    let theirs;
    try {
      theirs = set(evaluate(resource, p.expression).filter((v) => v !== null && v !== undefined));
    } catch (error) {
      theirs = [`error: ${error.message ?? error}`];
    }
    const mine = set((ours.get(`${place} ${p.code}`) ?? []).filter((v) => v !== null));
    compared += 1;
    if (mine.join('\n') !== theirs.join('\n')) {
      const key = `${resource.resourceType}.${p.code}`;
      const seen = differing.get(key) ?? { count: 0, place, mine, theirs, expression: p.expression };
      seen.count += 1;
      differing.set(key, seen);
    }
  }
}

const known = fs.readFileSync(path.join(here, 'known-differences.txt'), 'utf8')
  .split('\n').filter((l) => l && !l.startsWith('#')).map((l) => l.split(/\s+/)[0]);
const isKnown = (key) => known.includes(key) || known.includes(`*.${key.split('.')[1]}`);
const fresh = [...differing].filter(([key]) => !isKnown(key));
const items = [...differing.values()].reduce((sum, { count }) => sum + count, 0);
// The list may only shrink: what is on it must still differ.
const keys = [...differing.keys()];
const stale = known.filter((k) => !keys.some((key) => key === k || `*.${key.split('.')[1]}` === k));
console.log(`second engine ${compared - items}/${compared}, ${differing.size} parameters differ, not known ${fresh.length}`);
for (const key of stale) console.log(`${key} is listed and does not differ`);
for (const [key, { count, place, mine, theirs }] of fresh) {
  console.log(`${key} in ${count} resources, first ${place}`);
  console.log('  ours   ', mine.filter((v) => !theirs.includes(v)).slice(0, 3).join(' ').slice(0, 300));
  console.log('  theirs ', theirs.filter((v) => !mine.includes(v)).slice(0, 3).join(' ').slice(0, 300));
}
process.exit(fresh.length || stale.length ? 1 : 0);
