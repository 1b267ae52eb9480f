import assert from 'node:assert/strict'
import { afterEach, test } from 'vitest'
import { systemClock } from '../../../db/clock.ts'
import type { ConnectionOptions, TlsOptions } from '../../../db/connection-options.ts'
import { createConnector } from '../../../db/pool/connector.ts'
import { Link } from '../../../db/pool/link.ts'
import { LoopTurn } from '../../../db/pool/loop-turn.ts'
import { type Certificate, createAuthority, createSelfSigned } from '../../support/certificates.ts'
import {
  authSwitchPayload,
  type LoginEndpoint,
  type LoginEndpointOptions,
  startLoginEndpoint,
} from '../../support/login-endpoint.ts'

const PASSWORD = 'correct horse battery staple'
const authority = createAuthority('the right authority')
const { cert: ca } = authority

let endpoint: LoginEndpoint | undefined
afterEach(async () => await endpoint?.close())

const tlsOptions = (identity: boolean): TlsOptions => ({
  verifyCertificate: true,
  verifyIdentity: identity,
  texts: async () => ({ ca }),
})

interface Client {
  readonly host?: string
  readonly tls?: TlsOptions
}

/** Logs in and returns how that ended: with the server's 1045, for which credentials must have been sent, or before. */
async function logIn(options: LoginEndpointOptions, client: Client): Promise<string> {
  const [outcome = ''] = await logInAgain(options, client, 1)
  return outcome
}

/** The same, one after the other: by the second time there are sessions of TLS that could be resumed. */
async function logInAgain(
  options: LoginEndpointOptions,
  { host = '127.0.0.1', tls }: Client,
  times: number,
): Promise<string[]> {
  endpoint = await startLoginEndpoint(options)
  const connection: ConnectionOptions = {
    host,
    port: endpoint.port,
    user: 'somebody',
    password: async () => PASSWORD,
    database: 'sakila',
    ...(tls && { tls }),
  }
  const connector = createConnector(connection, {
    clock: systemClock,
    turn: new LoopTurn(),
    link: new Link(),
    limits: { connectTimeoutMs: 2_000, handshakeTimeoutMs: 2_000, passwordTimeoutMs: 2_000 },
    arePrepared: true,
    areIntegersExact: false,
    sessionSetup: 'SET autocommit = 1',
    onEvent: () => {},
  })
  const outcomes = []
  for (let time = 0; time < times; time += 1) {
    const error = await connector.connect({ onDeath: () => {} }).connection.then(
      () => assert.fail('the endpoint let somebody in'),
      (reason: { code?: string; message: string }) => reason,
    )
    outcomes.push(error.code ?? error.message)
  }
  return outcomes
}

const NOT_NAMED = 'ERR_TLS_CERT_ALTNAME_INVALID'
const LOGGED_IN = 'ER_ACCESS_DENIED_ERROR'

interface Case {
  readonly certificate: Certificate
  readonly host?: string
  readonly expected: string
  readonly identity?: boolean
}

const loopbackName = 'localhost'
const cases: Readonly<Record<string, Case>> = {
  'an address that the certificate has': {
    certificate: authority.issue({ addresses: ['127.0.0.1'] }),
    expected: LOGGED_IN,
  },
  'an address, when it has localhost only': {
    certificate: authority.issue({ names: [loopbackName], commonName: loopbackName }),
    expected: NOT_NAMED,
  },
  'another address': { certificate: authority.issue({ addresses: ['127.0.0.2'] }), expected: NOT_NAMED },
  'an address that stands as a name': { certificate: authority.issue({ names: ['127.0.0.1'] }), expected: NOT_NAMED },
  'an address that stands as a common name': {
    certificate: authority.issue({ commonName: '127.0.0.1' }),
    expected: NOT_NAMED,
  },
  'a name that it has': {
    certificate: authority.issue({ names: ['db.example', loopbackName] }),
    host: loopbackName,
    expected: LOGGED_IN,
  },
  'a name, when it has the address only': {
    certificate: authority.issue({ addresses: ['127.0.0.1'] }),
    host: loopbackName,
    expected: NOT_NAMED,
  },
  'another name': { certificate: authority.issue({ names: ['db.example'] }), host: loopbackName, expected: NOT_NAMED },
  'a common name without alternative names': {
    certificate: authority.issue({ commonName: loopbackName }),
    host: loopbackName,
    expected: LOGGED_IN,
  },
  'a common name beside other alternative names': {
    certificate: authority.issue({ commonName: loopbackName, names: ['db.example'] }),
    host: loopbackName,
    expected: NOT_NAMED,
  },
  'a wildcard for the whole name': {
    certificate: authority.issue({ names: ['*'] }),
    host: loopbackName,
    expected: NOT_NAMED,
  },
  'an expired certificate': {
    certificate: authority.issue({ addresses: ['127.0.0.1'], isExpired: true }),
    expected: 'CERT_HAS_EXPIRED',
  },
  'one of another authority': {
    certificate: createAuthority('another').issue({ addresses: ['127.0.0.1'] }),
    expected: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  },
  'one that signs itself': {
    certificate: createSelfSigned({ commonName: 'self', addresses: ['127.0.0.1'] }),
    expected: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  },
  'any name, with verify-ca': {
    certificate: authority.issue({ names: ['db.example'] }),
    identity: false,
    expected: LOGGED_IN,
  },
  'an expired certificate, with verify-ca': {
    certificate: authority.issue({ isExpired: true }),
    identity: false,
    expected: 'CERT_HAS_EXPIRED',
  },
}

for (const [what, { certificate, host, expected, identity = true }] of Object.entries(cases)) {
  test(`${what}: ${expected}, and no credentials before`, async () => {
    assert.equal(await logIn({ certificate }, { ...(host && { host }), tls: tlsOptions(identity) }), expected)
    const isLoggedIn = expected === LOGGED_IN
    assert.equal(endpoint?.encrypted().includes('somebody'), isLoggedIn)
    assert.equal(endpoint?.encrypted().length === 0, !isLoggedIn)
    if (isLoggedIn) assert.deepEqual(endpoint?.serverNames, [host === loopbackName && loopbackName])
  })
}

test.runIf(await hasIpv6())('an address of IPv6, however it is written, is compared as an address', async () => {
  const certificate = authority.issue({ addresses: ['0:0:0:0:0:0:0:1'] })
  for (const host of ['::1', '0:0:0:0:0:0:0:1', '::0001']) {
    assert.equal(await logIn({ certificate, host: '::1' }, { host, tls: tlsOptions(true) }), LOGGED_IN, host)
    await endpoint?.close()
  }
  const others = authority.issue({ addresses: ['0:0:0:0:0:0:0:2', '127.0.0.1'] })
  assert.equal(await logIn({ certificate: others, host: '::1' }, { host: '::1', tls: tlsOptions(true) }), NOT_NAMED)
})

test('a server that was refused is refused again, though its session could be resumed', async () => {
  const certificate = authority.issue({ names: [loopbackName] })
  const outcomes = await logInAgain({ certificate }, { tls: tlsOptions(true) }, 4)
  assert.deepEqual(outcomes, Array(4).fill(NOT_NAMED))
  assert.equal(endpoint?.encrypted().length, 0)
})

test('a server that was found right is found right again, its session resumed', async () => {
  const certificate = authority.issue({ addresses: ['127.0.0.1'] })
  const outcomes = await logInAgain({ certificate }, { tls: tlsOptions(true) }, 4)
  assert.deepEqual(outcomes, Array(4).fill(LOGGED_IN))
  assert.ok((endpoint?.resumed() ?? 0) > 0)
})

test('a server without TLS gets nothing from a client that wants it', async () => {
  assert.equal(await logIn({}, { tls: tlsOptions(false) }), 'HANDSHAKE_NO_SSL_SUPPORT')
  assert.equal(endpoint?.plain().length, 0)
})

test('what speaks another protocol is told as that, and gets nothing', async () => {
  const xProtocol = Buffer.from('05000000' + '0b08051a00', 'hex')
  const banners = [
    'SSH-2.0-OpenSSH_9.2p1\r\n',
    '220 mail.example ESMTP\r\n',
    'HTTP/1.1 400 Bad Request\r\n',
    '-ERR no\r\n',
  ]
  for (const firstBytes of [...banners.map((text) => Buffer.from(text)), xProtocol]) {
    assert.equal(await logIn({ firstBytes }, {}), 'NOT_MYSQL')
    assert.equal(endpoint?.plain().length, 0)
    await endpoint?.close()
  }
})

test('what is put behind a greeting before TLS begins is not read', async () => {
  const certificate = authority.issue({ addresses: ['127.0.0.1'] })
  // OK: the login succeeded.
  const injected = Buffer.from('07000002' + '00000002000000', 'hex')
  assert.equal(await logIn({ certificate, injected }, { tls: tlsOptions(true) }), 'NOT_MYSQL')
  assert.equal(endpoint?.encrypted().length, 0)
})

test.for(['client_ed25519', 'parsec', 'dialog'])(
  '%s, which the driver does not speak, is told as that',
  async (plugin) => {
    const certificate = authority.issue({ addresses: ['127.0.0.1'] })
    const answer = authSwitchPayload(plugin)
    assert.equal(await logIn({ certificate, answer }, { tls: tlsOptions(true) }), 'AUTH_SWITCH_PLUGIN_ERROR')
    assert.ok(!endpoint?.encrypted().includes(PASSWORD))
  },
)

test('an error instead of a greeting is the error', async () => {
  // 1040, of a server that is full.
  const firstBytes = Buffer.from('17000000ff1004546f6f206d616e7920636f6e6e656374696f6e73', 'hex')
  assert.equal(await logIn({ firstBytes }, {}), 'ER_CON_COUNT_ERROR')
})

const cleartext = authSwitchPayload('mysql_clear_password')

test('a password in clear text goes over verified TLS', async () => {
  const certificate = authority.issue({ names: ['db.example'] })
  // The endpoint does not answer it.
  const outcome = await logIn({ certificate, answer: cleartext }, { tls: tlsOptions(false) })
  assert.equal(outcome, 'ETIMEDOUT')
  assert.ok(endpoint?.encrypted().includes(PASSWORD))
})

test.for([
  ['plain TCP', undefined],
  ['TLS that verifies nothing', { verifyCertificate: false, verifyIdentity: false }],
] as const)('no password in clear text over %s', async ([, tls]) => {
  const certificate = authority.issue({ names: ['db.example'] })
  const outcome = await logIn({ answer: cleartext, ...(tls && { certificate }) }, { ...(tls && { tls }) })
  assert.equal(outcome, 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED')
  for (const received of [endpoint?.plain(), endpoint?.encrypted()]) assert.ok(!received?.includes(PASSWORD))
})

async function hasIpv6(): Promise<boolean> {
  try {
    await (await startLoginEndpoint({ host: '::1' })).close()
    return true
  } catch {
    return false // a machine, or a container, without it
  }
}
