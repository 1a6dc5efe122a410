// Gets tokens from Quittance with a secret and with a key of its own, and verifies them with jose.
//
//     npm ci
//     QUITTANCE_AUTH=http://127.0.0.1:8081 QUITTANCE_CLIENT_ID=… QUITTANCE_CLIENT_SECRET=… node verify-token.mjs
//
// With QUITTANCE_ADMIN_TOKEN, the access token of an administrator, it also registers a key and uses it (private_key_jwt).

import assert from 'node:assert/strict'
import * as jose from 'jose'

const { QUITTANCE_AUTH: auth, QUITTANCE_CLIENT_ID: id, QUITTANCE_CLIENT_SECRET: secret } = process.env
const admin = process.env.QUITTANCE_ADMIN_TOKEN

const metadata = await (await fetch(`${auth}/.well-known/oauth-authorization-server`)).json()
// Behind the gateway this is metadata.jwks_uri.
const keys = jose.createRemoteJWKSet(new URL(`${auth}/.well-known/jwks.json`))

async function token(form) {
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...form })
  const answer = await fetch(`${auth}/oauth2/token`, { method: 'POST', body })
  return { status: answer.status, ...(await answer.json()) }
}

// What a service of yours does with a token.
const verify = (text, audience) =>
  jose.jwtVerify(text, keys, { algorithms: ['RS256'], typ: 'at+jwt', issuer: metadata.issuer, audience })

const bySecret = await token({ client_id: id, client_secret: secret })
const { payload } = await verify(bySecret.access_token, 'quittance')
assert.equal(payload.client_id, id)
await assert.rejects(verify(bySecret.access_token, 'quittance-log'), jose.errors.JWTClaimValidationFailed)
console.log('the token of a secret is good')

if (admin) {
  const { publicKey, privateKey } = await jose.generateKeyPair('RS256')
  const registered = await fetch(`${auth}/api/service-accounts/${id}/credentials/`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ public_key: await jose.exportJWK(publicKey) }),
  })
  assert.equal(registered.status, 201)
  const assertion = await new jose.SignJWT({})
    .setProtectedHeader({ alg: 'RS256' })
    .setIssuer(id)
    .setSubject(id)
    .setAudience(metadata.token_endpoint)
    .setIssuedAt()
    .setExpirationTime('1m')
    .setJti(crypto.randomUUID())
    .sign(privateKey)
  const form = {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  }
  const byKey = await token(form)
  await verify(byKey.access_token, 'quittance')
  const again = await token(form)
  assert.deepEqual([again.status, again.error], [401, 'invalid_client'])
  console.log('the token of a key is good')
}

console.log('all good')
