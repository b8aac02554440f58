// Makes the key of a backend service: private.jwk.json and jwks.json in a folder.
//
//   node keys.mjs FOLDER ES384|RS384
import fs from 'node:fs';
import path from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';

const [folder, alg] = process.argv.slice(2);
const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
const kid = await calculateJwkThumbprint(await exportJWK(publicKey));
const write = (name, value) =>
  fs.writeFileSync(path.join(folder, name), JSON.stringify(value), { mode: 0o600 });
write('private.jwk.json', { ...(await exportJWK(privateKey)), kid, alg });
write('jwks.json', { keys: [{ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }] });
