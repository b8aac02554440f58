// Prints a launch handle, as an EHR makes it for an application that it starts.
//
//   node handle.mjs ISSUER CLIENT_ID FOLDER_OF_KEYS APP PATIENT
import assert from 'node:assert/strict';
import { token } from './token.mjs';

const [issuer, clientId, folder, app, patient] = process.argv.slice(2);
const scope = '__bhn.launch.c system/Patient.rs';
const [status, given] = await token(`${issuer}/oauth/token`, clientId, folder, scope);
assert.equal(status, 200, JSON.stringify(given));
const reply = await fetch(`${issuer}/launch`, {
  method: 'POST',
  headers: { authorization: `Bearer ${given.access_token}`, 'content-type': 'application/json' },
  body: JSON.stringify({ client_id: app, patient, need_patient_banner: true }),
});
const body = await reply.json();
assert.equal(reply.status, 201, JSON.stringify(body));
console.log(body.launch);
