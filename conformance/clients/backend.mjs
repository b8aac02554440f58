// fhir-kit-client as a SMART backend service: discovers, signs in by private_key_jwt, creates,
// reads, searches, updates; is refused what its scopes do not have.
//
//   node backend.mjs BASE CLIENT_ID FOLDER_OF_KEYS
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { Client } from 'fhir-kit-client';
import { token } from './token.mjs';

const [baseUrl, clientId, folder] = process.argv.slice(2);
const client = new Client({ baseUrl });
const smart = await client.smartAuthMetadata();
const tokenUrl = smart.tokenUrl.href ?? smart.tokenUrl;
const scope = 'system/Patient.cruds system/Organization.rs';
const [[status, given], [again]] = await token(tokenUrl, clientId, folder, scope, true);
assert.equal(status, 200, JSON.stringify(given));
assert.equal(again, 401, 'an assertion is good once');
assert.equal(given.token_type.toLowerCase(), 'bearer');
assert.ok(given.expires_in <= 300);

client.bearerToken = given.access_token;
const family = `Kit${crypto.randomUUID().slice(0, 8)}`;
const created = await client.create({
  resourceType: 'Patient',
  body: { resourceType: 'Patient', name: [{ family }], gender: 'female' },
});
const read = await client.read({ resourceType: 'Patient', id: created.id });
assert.equal(read.name[0].family, family);
const found = await client.search({ resourceType: 'Patient', searchParams: { family } });
assert.deepEqual(found.entry.map((entry) => entry.resource.id), [created.id]);
const changed = await client.update({
  resourceType: 'Patient',
  id: created.id,
  body: { ...read, birthDate: '1990-01-02' },
});
assert.equal(changed.meta.versionId, '2');
const refused = await client
  .search({ resourceType: 'Observation', searchParams: { _count: 1 } })
  .then(() => 200, (error) => error.response.status);
assert.equal(refused, 403);
client.bearerToken = 'nobody';
const stranger = await client
  .read({ resourceType: 'Patient', id: created.id })
  .then(() => 200, (error) => error.response.status);
assert.equal(stranger, 401);
console.log('fhir-kit-client: signed in, created, read, searched, updated, refused');
