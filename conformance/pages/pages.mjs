// axe-core (WCAG 2.2 A and AA) over every page of the server, in headless Chromium: in English and
// French, as a phone and as a desk shows it, with style and without, with scripts disabled by the
// page's own policy. The way there is that of a person: sign-in, second factor, consent, launch.
//
//   node pages.mjs ISSUER '{"patient":EMAIL,"staff":EMAIL,"password":...,"code":...}'
//
// SCREENSHOTS=FOLDER keeps a picture of each page.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import puppeteer from 'puppeteer-core';

const [issuer, json] = process.argv.slice(2);
const who = JSON.parse(json);
const axe = fs.readFileSync(path.join(import.meta.dirname, 'node_modules/axe-core/axe.min.js'), 'utf8');
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const problems = [];
let looked = 0;

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--no-proxy-server'],
});

// What axe says of the page as it is shown.
async function check(page, name, rulesOff = []) {
  const session = await page.createCDPSession();
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId } = await session.send('Page.createIsolatedWorld', {
    frameId: frameTree.frame.id,
  });
  const evaluate = async (expression) => {
    const reply = await session.send('Runtime.evaluate', {
      expression,
      contextId: executionContextId,
      awaitPromise: true,
      returnByValue: true,
    });
    assert.equal(reply.exceptionDetails, undefined, JSON.stringify(reply.exceptionDetails));
    return reply.result.value;
  };
  await evaluate(`${axe}; undefined`);
  const off = Object.fromEntries(rulesOff.map((rule) => [rule, { enabled: false }]));
  const options = JSON.stringify({ runOnly: rules, rules: off, resultTypes: ['violations'] });
  const found = await evaluate(`axe.run(document, ${options}).then((r) => r.violations.map((v) =>
    v.id + ': ' + v.nodes.map((n) => n.target.join(' ')).join(', ')))`);
  const wide = await evaluate('document.documentElement.scrollWidth > window.innerWidth');
  if (wide) found.push('the page is wider than its window');
  await session.detach();
  looked += 1;
  problems.push(...found.map((text) => `${name}: ${text}`));
}

async function look(page, name) {
  for (const width of [390, 1280]) {
    await page.setViewport({ width, height: 900 });
    await check(page, `${name} at ${width}`);
    if (process.env.SCREENSHOTS) {
      const file = path.join(process.env.SCREENSHOTS, `${name}-${width}.png`);
      await page.screenshot({ path: file, fullPage: true });
    }
  }
  // 200 % zoom of a desk.
  await page.setViewport({ width: 640, height: 450, deviceScaleFactor: 2 });
  await check(page, `${name} zoomed`);
  const html = await page.content();
  assert.ok(!html.includes('<script'), `${name} has a script`);
  await page.evaluate(() => document.querySelector('link[rel=stylesheet]').remove());
  // Sizes are the browser's own then (WCAG 2.2, 2.5.8, user agent control).
  await check(page, `${name} without style`, ['target-size']);
  await page.setViewport({ width: 1280, height: 900 });
}

async function send(page, fields, button) {
  for (const [selector, text] of fields) await page.type(selector, text);
  await Promise.all([
    page.waitForNavigation({ waitUntil: 'networkidle0' }),
    page.click(button ?? 'main form button[type=submit]'),
  ]);
}

async function open(page, where) {
  await page.goto(`${issuer}${where}`, { waitUntil: 'networkidle0' });
}

function authorize(scope) {
  const challenge = crypto.createHash('sha256').update(crypto.randomUUID()).digest('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'pages',
    redirect_uri: 'http://127.0.0.1/callback',
    scope,
    state: 's',
    aud: `${issuer}/fhir`,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  });
  return `/oauth/authorize?${query}`;
}

// Looks at the page and comes back with its style.
async function see(page, name) {
  const url = page.url();
  await look(page, name);
  await page.goto(url, { waitUntil: 'networkidle0' });
}

async function visitor(language) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setJavaScriptEnabled(true);
  // Chosen, so that it holds for who is signed in, too.
  await open(page, `/login?ui_locales=${language}`);
  return page;
}

async function ofNobody(page, mark) {
  const pages = ['', 'login', 'register', 'reset', 'reset?code=x', 'verify?code=x', 'oauth/logout'];
  for (const where of pages) {
    await open(page, `/${where}`);
    await see(page, `${mark}-${where.replace(/\W+/g, '-') || 'home'}`);
  }
  await open(page, '/oauth/continue?request=unknown');
  await look(page, `${mark}-problem`);
  await open(page, '/login');
  await send(page, [['#email', who.patient], ['#password', 'wrong']]);
  const focused = await page.evaluate(() => document.activeElement.getAttribute('role'));
  assert.equal(focused, 'alert', 'the summary of what is wrong has the focus');
  await look(page, `${mark}-login-refused`);
}

async function ofPatient(page, mark) {
  await open(page, authorize('openid launch/patient launch/observation ' +
    'patient/*.rs patient/Observation.rs offline_access'));
  await send(page, [['#email', who.patient], ['#password', who.password]]);
  for (let step = 0; step < 6; step += 1) {
    const name = new URL(page.url()).pathname.replaceAll('/', '');
    await see(page, `${mark}-${name}`);
    if (name === 'consent') break;
    const radio = await page.$('main input[type=radio]');
    if (radio) await radio.click();
    await send(page, []);
  }
  assert.ok(page.url().includes('/consent'), page.url());
  for (const step of ['pick-patient', 'pick-encounter']) {
    const url = page.url().replace('/consent', `/${step}`);
    const back = page.url();
    await page.goto(url, { waitUntil: 'networkidle0' });
    await see(page, `${mark}-${step}`);
    await page.goto(back, { waitUntil: 'networkidle0' });
  }
  for (const where of ['account', 'account/apps', 'account/mfa', 'account/identities', 'oauth/logout']) {
    await open(page, `/${where}`);
    await see(page, `${mark}-patient-${where.replaceAll('/', '-')}`);
  }
}

async function ofStaff(page, mark) {
  await open(page, '/login');
  await send(page, [['#email', who.staff], ['#password', who.password]]);
  await see(page, `${mark}-login-mfa`);
  await send(page, [['#code', who.code]]);
  await open(page, '/launch');
  await see(page, `${mark}-launch`);
  await open(page, '/launch?name=khatun');
  await see(page, `${mark}-launch-found`);
  await open(page, authorize('openid launch/patient user/*.rs'));
  await see(page, `${mark}-staff-pick-patient`);
  await open(page, '/account');
  await see(page, `${mark}-staff-account`);
}

// Without JavaScript a person gets as far.
async function withoutScripts() {
  const page = await visitor('en');
  await page.setJavaScriptEnabled(false);
  await open(page, authorize('openid launch/patient patient/*.rs'));
  await send(page, [['#email', who.patient], ['#password', who.password]]);
  assert.ok(page.url().includes('/pick-patient'), page.url());
  await page.click('main input[type=radio]');
  await send(page, []);
  assert.ok(page.url().includes('/consent'), page.url());
}

try {
  for (const language of ['en', 'fr']) {
    await ofNobody(await visitor(language), language);
    await ofPatient(await visitor(language), language);
  }
  // One code of the second factor is good once.
  await ofStaff(await visitor('fr'), 'fr');
  await withoutScripts();
} finally {
  await browser.close();
}
for (const problem of new Set(problems)) console.error(problem);
console.log(`axe-core: ${looked} looks at pages, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
