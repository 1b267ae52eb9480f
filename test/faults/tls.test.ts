import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, sql } from 'kysely'
import { afterAll, beforeAll, test } from 'vitest'
import type { ConnectionOptions, TlsOptions } from '../../db/connection-options.ts'
import { resilientMysqlDialect } from '../../db/dialect.ts'
import type { PoolEvent } from '../../db/pool/stats.ts'
import { asRead } from '../../db/statement-kind.ts'
import { parseConfig } from '../../src/config.ts'
import { type Certificate, createAuthority, createSelfSigned } from '../support/certificates.ts'
import { openPoolSite } from '../support/pool-site.ts'
import { asAdmin, killSessions } from '../support/server-faults.ts'
import { startTlsServer, type TlsServer } from '../support/tls-server.ts'

const authority = createAuthority('the right authority')
const other = createAuthority('another authority')
const byAddress = authority.issue({ addresses: ['127.0.0.1'] })

let server: TlsServer
let folder: string

beforeAll(async () => {
  server = await startTlsServer(byAddress, authority.cert)
  folder = await mkdtemp(join(tmpdir(), 'still-here-ca-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await server.dispose()
})

interface Opened {
  readonly db: Kysely<unknown>
  readonly events: readonly PoolEvent[]
  readonly close: () => Promise<void>
}

function open(connection: ConnectionOptions): Opened {
  const events: PoolEvent[] = []
  const dialect = resilientMysqlDialect({ connection, pool: { size: 4 }, onEvent: (event) => events.push(event) })
  return { db: new Kysely({ dialect }), events, close: () => dialect.close({ deadlineMs: 500 }) }
}

/** The cipher that the server says a session has: what it does not say is no TLS. */
/** As a read: the session that it finds may be one that was killed, which neither side has noticed yet. */
async function cipherOf(db: Kysely<unknown>): Promise<string> {
  const question = sql<{ Value: string }>`SHOW SESSION STATUS LIKE 'Ssl_cipher'`.compile(db)
  const { rows } = await db.executeQuery(asRead(question))
  return rows[0]?.Value ?? ''
}

/** `served`, or the code with which the caller is refused. */
async function outcomeOf(over: Partial<ConnectionOptions>): Promise<string> {
  const { db, close } = open({ ...server.account, ...over })
  try {
    // Four at once, so that sessions of TLS are resumed as well.
    const ciphers = await Promise.all([1, 2, 3, 4].map(() => cipherOf(db)))
    for (const cipher of ciphers) assert.notEqual(cipher, '')
    return 'served'
  } catch (error) {
    assert.ok(error instanceof Error)
    assert.equal(error.name, 'ConnectRefusedError', String(error.cause))
    return (error.cause as NodeJS.ErrnoException).code ?? 'no code'
  } finally {
    await close()
  }
}

const full = (ca = authority.cert): TlsOptions => ({
  verifyCertificate: true,
  verifyIdentity: true,
  texts: async () => ({ ca }),
})
const verifyCa: TlsOptions = { ...full(), verifyIdentity: false }
const encrypt: TlsOptions = { verifyCertificate: false, verifyIdentity: false }

const NOT_NAMED = 'ERR_TLS_CERT_ALTNAME_INVALID'
const [address, name] = ['127.0.0.1', 'localhost']

test('a certificate must name the host as it is configured, and the address where that is one', async () => {
  const cases: readonly (readonly [Certificate, Readonly<Record<string, string>>])[] = [
    [byAddress, { [address]: 'served', [name]: NOT_NAMED }],
    [authority.issue({ names: [name], commonName: name }), { [address]: NOT_NAMED, [name]: 'served' }],
    [authority.issue({ commonName: name }), { [address]: NOT_NAMED, [name]: 'served' }],
    [authority.issue({ names: ['*.example'], addresses: ['10.0.0.1'] }), { [address]: NOT_NAMED, [name]: NOT_NAMED }],
  ]
  for (const [certificate, expected] of cases) {
    await server.certify(certificate, authority.cert)
    for (const [host, outcome] of Object.entries(expected)) {
      assert.equal(await outcomeOf({ host, tls: full() }), outcome, host)
      assert.equal(await outcomeOf({ host, tls: verifyCa }), 'served')
    }
  }
})

test('a certificate must come from the authority, and its time must not be over', async () => {
  const self = createSelfSigned({ commonName: 'self', addresses: [address] })
  const cases: readonly (readonly [Certificate, string, string])[] = [
    [other.issue({ addresses: [address] }), other.cert, 'SELF_SIGNED_CERT_IN_CHAIN'],
    [self, self.cert, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [authority.issue({ addresses: [address], isExpired: true }), authority.cert, 'CERT_HAS_EXPIRED'],
  ]
  for (const [certificate, ca, code] of cases) {
    // MySQL takes none that is expired already: that is tried with an endpoint of our own.
    if (server.flavour === 'mysql' && code === 'CERT_HAS_EXPIRED') continue
    await server.certify(certificate, ca)
    for (const tls of [full(), verifyCa]) assert.equal(await outcomeOf({ tls }), code)
    assert.equal(await outcomeOf({ tls: encrypt }), 'served')
  }
})

test('2.3 the authorities of a file that changes are those of the next connection', async () => {
  await server.certify(byAddress, authority.cert)
  const file = join(folder, 'ca.pem')
  await writeFile(file, authority.cert)
  const { host, port, user, database } = server.account
  const url = `mysql://${user}:${encodeURIComponent(await server.account.password())}@${host}:${port}/${database}`
  const config = parseConfig({ DATABASE_URL: url, DB_TLS: 'verify-full', DB_TLS_CA_FILE: file })
  assert.equal(config.database.kind, 'configured')
  const { db, events, close } = open(config.database.connection)
  const unusable = () => events.filter((event) => event.name === 'tlsTextsUnusable').length
  const again = async () => {
    await killSessions(server, user)
    return await cipherOf(db)
  }
  try {
    assert.notEqual(await cipherOf(db), '')
    await writeFile(file, authority.cert + other.cert)
    await server.certify(other.issue({ addresses: [address] }), other.cert)
    assert.notEqual(await again(), '')
    // Unreadable for a while, then half written: the last good ones serve, which is told once.
    await rename(file, `${file}.away`)
    assert.notEqual(await again(), '')
    await writeFile(file, other.cert.slice(0, 300))
    assert.notEqual(await again(), '')
    assert.equal(unusable(), 1)
    await writeFile(file, authority.cert)
    await assert.rejects(again(), { name: 'ConnectRefusedError' })
  } finally {
    await close()
  }
})

test('a certificate of the client is shown, and changed with its files', async () => {
  await server.certify(byAddress, authority.cert)
  const user = 'certified'
  await asAdmin(server, async (admin) => {
    await admin.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'secret' REQUIRE SUBJECT '/CN=second'`)
    await admin.query(`GRANT SELECT ON ${server.account.database}.* TO '${user}'@'%'`)
  })
  const login = { user, password: async () => 'secret' }
  const withClient = (client?: Certificate): TlsOptions => ({
    ...full(),
    texts: async () => ({ ca: authority.cert, ...client }),
  })
  const second = authority.issue({ commonName: 'second' })
  const REFUSED = 'ER_ACCESS_DENIED_ERROR'
  assert.equal(await outcomeOf({ ...login, tls: withClient() }), REFUSED)
  assert.equal(await outcomeOf({ ...login, tls: withClient(authority.issue({ commonName: 'first' })) }), REFUSED)
  assert.equal(await outcomeOf({ ...login, tls: withClient(second) }), 'served')
})

test('a connection that is lost while TLS begins is lost, not refused', async () => {
  await server.certify(byAddress, authority.cert)
  const site = await openPoolSite(server, { connection: { tls: full() } })
  try {
    let cuts = 0
    // The greeting is below 150 bytes; the server's part of TLS comes next.
    site.proxy.onFlow = (flow) => {
      cuts += 1
      if (cuts <= 2) flow.cutAfter({ direction: 'toClient', bytes: 200, end: 'rst' })
    }
    assert.ok((await site.read()) > 0)
    assert.ok(cuts > 2)
  } finally {
    await site.dispose()
  }
})
