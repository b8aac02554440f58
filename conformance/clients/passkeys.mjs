// Passkeys in headless Chromium, with its virtual authenticator: made at the account, shown alone
// and after the password.
//
//   node passkeys.mjs ISSUER '{"email":...,"password":...}'
//
// The issuer has a name, such as http://localhost:8080. SCREENSHOTS=FOLDER keeps a picture of each
// page, in both languages, as a phone and as a desk shows it.
import assert from 'node:assert/strict';
import path from 'node:path';
import puppeteer from 'puppeteer-core';

const [issuer, json] = process.argv.slice(2);
const who = JSON.parse(json);

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--no-proxy-server'],
});
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => assert.fail(error));
  const device = await authenticator(page);
  await password(page);
  await page.goto(`${issuer}/account/passkeys`);
  await picture(page);
  await page.type('input[name="name"]', 'Blue phone');
  await sent(page);
  assert.match(await page.content(), /<li><code>/, 'recovery codes are shown');
  await picture(page, 'codes');
  await page.goto(`${issuer}/account`);
  assert.match(await page.content(), /Blue phone/);
  await picture(page);
  await page.goto(`${issuer}/account/factors/remove?factor=${await word(page)}`);
  await picture(page);

  await page.deleteCookie(...(await page.cookies(issuer)));
  await page.goto(`${issuer}/login`);
  await picture(page);
  await page.goto(`${issuer}/login/passkey`);
  await picture(page);
  await sent(page);
  assert.equal(page.url(), `${issuer}/account`, 'a passkey alone signs in');
  console.log('Chromium: a passkey was made, and signed in alone');

  await page.deleteCookie(...(await page.cookies(issuer)));
  await password(page);
  assert.equal(page.url(), `${issuer}/login/mfa`);
  await picture(page);
  await device.send('WebAuthn.setUserVerified', { authenticatorId: device.id, isUserVerified: false });
  await page.click('form[data-passkey] button');
  await page.waitForSelector('[data-failed]:not([hidden])');
  await picture(page, 'failed');
  await device.send('WebAuthn.setUserVerified', { authenticatorId: device.id, isUserVerified: true });
  await sent(page);
  assert.equal(page.url(), `${issuer}/account`, 'a passkey is the second factor');
  console.log('Chromium: a passkey was the second factor, and nothing without verification');

  await page.deleteCookie(...(await page.cookies(issuer)));
  await page.setJavaScriptEnabled(false);
  await page.goto(`${issuer}/login/passkey`);
  assert.match(await page.$eval('noscript', (element) => element.innerHTML), /JavaScript/);
  await picture(page, 'no-script');
} finally {
  await browser.close();
}

// A device with the person's fingerprint.
async function authenticator(page) {
  const client = await page.createCDPSession();
  await client.send('WebAuthn.enable');
  const { authenticatorId } = await client.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return Object.assign(client, { id: authenticatorId });
}

async function password(page) {
  await page.goto(`${issuer}/login`);
  await page.type('input[name="email"]', who.email);
  await page.type('input[name="password"]', who.password);
  await Promise.all([page.waitForNavigation(), page.click('form.card button[type="submit"]')]);
}

// Sends the form of the passkey, and waits for the page after it.
async function sent(page) {
  await page.waitForSelector('form[data-passkey] button:not([hidden])');
  await Promise.all([page.waitForNavigation(), page.click('form[data-passkey] button')]);
}

async function word(page) {
  const link = await page.$eval('a[href*="factor="]', (element) => element.href);
  return new URL(link).searchParams.get('factor');
}

async function picture(page, further = '') {
  if (!process.env.SCREENSHOTS) return;
  const { pathname } = new URL(page.url());
  const name = `passkeys${pathname.replaceAll('/', '-')}${further && `-${further}`}`;
  for (const width of [390, 1280]) {
    await page.setViewport({ width, height: 900 });
    const file = path.join(process.env.SCREENSHOTS, `${name}-${width}.png`);
    await page.screenshot({ path: file, fullPage: true });
  }
}
