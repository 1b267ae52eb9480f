import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { TlsTexts } from '../../../db/connection-options.ts'
import { checkTexts, createTextsReader } from '../../../db/pool/tls-texts.ts'
import { createAuthority } from '../../support/certificates.ts'

const [old, next] = [createAuthority('old'), createAuthority('next')]
const [client, other] = [old.issue({ commonName: 'client' }), old.issue({ commonName: 'other' })]

function setUp(first: TlsTexts) {
  const told: unknown[] = []
  const now: { texts: TlsTexts | Error } = { texts: first }
  const read = createTextsReader(
    {
      verifyCertificate: true,
      verifyIdentity: true,
      texts: async () => {
        if (now.texts instanceof Error) throw now.texts
        return { ...now.texts }
      },
    },
    (cause) => told.push(cause),
  )
  return { read, now, told }
}

test('texts that have not changed are the same object, and changed ones another', async () => {
  const { read, now } = setUp({ ca: old.cert })
  const first = await read()
  assert.equal(await read(), first)
  now.texts = { ca: old.cert + next.cert }
  const second = await read()
  assert.notEqual(second, first)
  assert.deepEqual(second, { ca: old.cert + next.cert })
  assert.equal(await read(), second)
})

test('files that cannot be used for a while leave the last good ones in use, and are told once each time', async () => {
  const { read, now, told } = setUp({ ca: old.cert, ...client })
  const good = await read()
  const unreadable = Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
  for (const texts of [unreadable, { ca: '' }, { ca: next.cert.slice(0, -40) }, { ...client, key: other.key }]) {
    now.texts = texts
    assert.equal(await read(), good)
    assert.equal(await read(), good)
  }
  assert.deepEqual(told, [unreadable])
  now.texts = { ca: next.cert, ...other }
  assert.deepEqual(await read(), { ca: next.cert, ...other })
  now.texts = unreadable
  await read()
  assert.equal(told.length, 2)
})

test('the first ones have no older ones to stand in for them', async () => {
  const { read, now } = setUp({ ca: 'no certificate' })
  await assert.rejects(read(), /no whole PEM certificate/)
  now.texts = { ca: old.cert }
  assert.deepEqual(await read(), { ca: old.cert })
})

test('a text that OpenSSL or Node would pass over is refused', () => {
  checkTexts({})
  checkTexts({ ca: `# a comment\n${old.cert}\n${next.cert}`, ...client })
  const half = old.cert.slice(0, 200)
  const garbled = old.cert.replace(/M[A-Za-z]/, '!!')
  const bad = [{ ca: '' }, { ca: half }, { ca: next.cert + half }, { ca: garbled }, { ca: client.key }]
  for (const texts of [...bad, { cert: client.cert }, { key: client.key }, { cert: client.cert, key: other.key }]) {
    assert.throws(() => checkTexts(texts), Error, JSON.stringify(texts))
  }
  for (const empty of ['', '\n']) assert.throws(() => checkTexts({ cert: client.cert, key: empty }), Error)
})
