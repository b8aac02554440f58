// fhirclient (SMART JS) in headless Chromium: a standalone launch, and one from an EHR.
//
//   node launch.mjs standalone BASE CLIENT_ID PORT '{"email":...,"password":...,"code":...}'
//   node launch.mjs ehr BASE CLIENT_ID PORT '{...,"launch":"HANDLE"}'
//
// SCREENSHOTS=FOLDER keeps a picture of each page, as a phone and as a desk shows it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import puppeteer from 'puppeteer-core';

const [kind, base, client, port, json] = process.argv.slice(2);
const who = JSON.parse(json);
const here = import.meta.dirname;
const files = {
  '/launch.html': path.join(here, 'app/launch.html'),
  '/app.html': path.join(here, 'app/app.html'),
  '/fhir-client.js': path.join(here, 'node_modules/fhirclient/build/fhir-client.js'),
};
const app = http.createServer((request, response) => {
  const file = files[new URL(request.url, 'http://app').pathname];
  if (!file) return response.writeHead(404).end();
  const type = file.endsWith('.js') ? 'text/javascript' : 'text/html';
  response.writeHead(200, { 'content-type': type }).end(fs.readFileSync(file));
});
await new Promise((resolve) => app.listen(Number(port), '127.0.0.1', resolve));

const scope =
  'openid fhirUser offline_access patient/Patient.rs patient/Observation.rs ' +
  (kind === 'ehr' ? 'launch' : 'launch/patient');
const query = new URLSearchParams({ iss: base, client, scope });
if (kind === 'ehr') query.set('launch', who.launch);

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--no-proxy-server'],
});
try {
  const page = await browser.newPage();
  const navigated = () => page.waitForNavigation({ waitUntil: 'networkidle0' });
  await page.goto(`http://127.0.0.1:${port}/launch.html?${query}`, { waitUntil: 'networkidle0' });
  for (let step = 0; step < 12 && !page.url().includes('/app.html'); step += 1) {
    await answer(page, navigated);
  }
  await page.waitForFunction("document.title === 'Done'", { timeout: 20_000 });
  const result = JSON.parse(await page.$eval('#result', (element) => element.textContent));
  assert.equal(result.error, undefined);
  assert.equal(result.patient.resourceType, 'Patient');
  assert.equal(result.again, result.patient.id);
  assert.equal(result.response.patient, result.patient.id);
  assert.ok(['Patient', 'Practitioner'].includes(result.user.resourceType));
  assert.equal(result.refused, 403, 'Condition is not among the scopes');
  assert.equal(result.refreshed, true);
  console.log(`fhirclient, ${kind} launch: signed in, read ${result.patient.resourceType}, refreshed`);
} finally {
  await browser.close();
  app.close();
}

async function picture(page) {
  if (!process.env.SCREENSHOTS) return;
  const name = new URL(page.url()).pathname.replaceAll('/', '-');
  for (const width of [390, 1280]) {
    await page.setViewport({ width, height: 900 });
    const file = path.join(process.env.SCREENSHOTS, `${kind}${name}-${width}.png`);
    await page.screenshot({ path: file, fullPage: true });
  }
}

// Fills in whatever page of the authorization server is there, as a person would.
async function answer(page, navigated) {
  await picture(page);
  const has = (selector) => page.$(selector).then(Boolean);
  if (await has('input[name="password"]')) {
    await page.type('input[name="email"]', who.email);
    await page.type('input[name="password"]', who.password);
  } else if (await has('input[name="code"]')) {
    await page.type('input[name="code"]', who.code);
  } else if (await has('input[type="radio"][name="patient"]')) {
    await page.click('input[type="radio"][name="patient"]');
  }
  const button = (await page.$('button[value="allow"]')) ?? (await page.$('main button[type="submit"]'));
  assert.ok(button, `no way on from ${page.url()}: ${await page.content()}`);
  await Promise.all([navigated(), button.click()]);
}
