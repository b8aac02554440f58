// The access token of a backend service.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { importJWK, SignJWT } from 'jose';

// What the token endpoint answers, as [status, body], asked twice with one assertion where `twice`.
export async function token(tokenUrl, clientId, folder, scope, twice = false) {
  const jwk = JSON.parse(fs.readFileSync(path.join(folder, 'private.jwk.json'), 'utf8'));
  const assertion = await new SignJWT({ jti: crypto.randomUUID() })
    .setProtectedHeader({ alg: jwk.alg, kid: jwk.kid, typ: 'JWT' })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(tokenUrl)
    .setExpirationTime('5m')
    .sign(await importJWK(jwk, jwk.alg));
  const form = {
    grant_type: 'client_credentials',
    scope,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  };
  const ask = async () => {
    const reply = await fetch(tokenUrl, { method: 'POST', body: new URLSearchParams(form) });
    return [reply.status, await reply.json()];
  };
  const first = await ask();
  return twice ? [first, await ask()] : first;
}
