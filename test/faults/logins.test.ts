import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, test } from 'vitest'
import { systemClock } from '../../db/clock.ts'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import { createDatabase, type Database } from '../../db/database.ts'
import { logPoolEvents } from '../../src/pool-log.ts'
import { createMemoryLog } from '../src/memory-log.ts'
import { durationOf, type PoolServer, startPoolServer } from '../support/pool-site.ts'
import { asAdmin } from '../support/server-faults.ts'

let server: PoolServer
beforeAll(async () => {
  server = await startPoolServer()
})
afterAll(async () => await server.dispose())

async function asRoot(...statements: readonly string[]): Promise<void> {
  await asAdmin(server, async (admin) => {
    for (const statement of statements) await admin.query(statement)
  })
}

const PASSWORD = 'secret-of-the-test'

/** An account that may read the schema, unless `clause` says otherwise. */
async function createAccount(user: string, clause = '', how = `IDENTIFIED BY '${PASSWORD}'`): Promise<void> {
  await asRoot(
    `CREATE USER '${user}'@'%' ${how} ${clause}`,
    `GRANT SELECT ON ${server.account.database}.* TO '${user}'@'%'`,
  )
}

function open(over: Partial<ConnectionOptions>) {
  const { log, lines } = createMemoryLog()
  const onEvent = logPoolEvents({ log, clock: systemClock })
  const database = createDatabase({ connection: { ...server.account, ...over }, pool: { size: 2 }, onEvent })
  return { database, lines }
}

const ask = (database: Database) => sql`SELECT 1`.execute(database.kysely)

/** What a caller, the health report and the log are told; the caller at once. */
async function refusalOf(
  over: Partial<ConnectionOptions>,
): Promise<{ readonly reason: string; readonly words: string }> {
  const { database, lines } = open(over)
  try {
    const asked = ask(database)
    const tookMs = await durationOf(asked)
    await assert.rejects(asked, { name: 'ConnectRefusedError', message: 'the database refuses connections' })
    assert.ok(tookMs < 1000, `refused after ${tookMs} ms`)
    const report = await database.health()
    assert.equal(report.status, 'fail')
    const said = JSON.stringify(report)
    for (const secret of [PASSWORD, server.account.host, over.user ?? server.account.user]) {
      assert.ok(!said.includes(secret), `${secret} in ${said}`)
    }
    const [line] = lines
    assert.equal(line?.['message'], 'no new connection to the database')
    return { reason: report.reason ?? '', words: String(line?.['reason']) }
  } finally {
    await database.close({ deadlineMs: 100 })
  }
}

interface Refusal {
  readonly user: string
  readonly prepare?: () => Promise<void>
  readonly over?: Partial<ConnectionOptions>
  readonly reason: Readonly<Record<'mariadb' | 'mysql', string>>
  readonly words: RegExp
}

const both = (name: string) => ({ mariadb: name, mysql: name })

const refusals: Readonly<Record<string, Refusal>> = {
  'an account that is not there': {
    user: 'nobody',
    reason: both('ER_ACCESS_DENIED_ERROR'),
    words: /Access denied for user 'nobody'/,
  },
  'a wrong password': {
    user: 'mistyped',
    prepare: () => createAccount('mistyped'),
    over: { password: async () => 'something else' },
    reason: both('ER_ACCESS_DENIED_ERROR'),
    words: /using password: YES/,
  },
  'a schema that it may not use': {
    user: 'foreigner',
    prepare: () => asRoot(`CREATE USER 'foreigner'@'%' IDENTIFIED BY '${PASSWORD}'`),
    reason: both('ER_DBACCESS_DENIED_ERROR'),
    words: /Access denied for user 'foreigner'@'%' to database/,
  },
  'a schema that is not there': {
    user: 'lost',
    prepare: () => asRoot(`CREATE USER 'lost'@'%' IDENTIFIED BY '${PASSWORD}'`, "GRANT SELECT ON *.* TO 'lost'@'%'"),
    over: { database: 'nowhere' },
    reason: both('ER_BAD_DB_ERROR'),
    words: /Unknown database 'nowhere'/,
  },
  'a locked account': {
    user: 'locked',
    prepare: () => createAccount('locked', 'ACCOUNT LOCK'),
    reason: both('ER_ACCOUNT_HAS_BEEN_LOCKED'),
    words: /locked/,
  },
  'an expired password': {
    user: 'expired',
    prepare: () => createAccount('expired', 'PASSWORD EXPIRE'),
    reason: { mariadb: 'ER_MUST_CHANGE_PASSWORD', mysql: 'ER_MUST_CHANGE_PASSWORD_LOGIN' },
    words: /SET PASSWORD|must change it/,
  },
  'an account that requires TLS': {
    user: 'careful',
    prepare: () => createAccount('careful', 'REQUIRE SSL'),
    reason: both('ER_ACCESS_DENIED_ERROR'),
    words: /Access denied/,
  },
  'an account without a password, by other means': {
    user: 'local',
    prepare: async () => {
      if (server.flavour === 'mysql') await asRoot("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
      await createAccount(
        'local',
        '',
        server.flavour === 'mysql' ? 'IDENTIFIED WITH auth_socket' : 'IDENTIFIED VIA unix_socket',
      )
    },
    reason: both('ER_ACCESS_DENIED_NO_PASSWORD_ERROR'),
    words: /Access denied for user 'local'/,
  },
  'a blocked account': {
    user: 'blocked',
    prepare: async () => {
      await createAccount('blocked', server.flavour === 'mysql' ? 'FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME 1' : '')
      if (server.flavour === 'mariadb') await asRoot('SET GLOBAL max_password_errors = 1')
      await refusalOf({ user: 'blocked', password: async () => 'something else' })
    },
    reason: {
      mariadb: 'ER_USER_IS_BLOCKED',
      mysql: 'ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK',
    },
    words: /blocked/,
  },
}

test.for(Object.entries(refusals))('%s is refused at once, told by name, and logged in words', async ([, refusal]) => {
  const { user, prepare, over, reason, words } = refusal
  await prepare?.()
  const told = await refusalOf({ user, password: async () => PASSWORD, ...over })
  assert.equal(told.reason, reason[server.flavour])
  assert.match(told.words, words)
})

test('a server that wants TLS, or has none, is told as that', async () => {
  const tls = { verifyCertificate: false, verifyIdentity: false }
  if (server.flavour === 'mariadb') {
    const told = await refusalOf({ tls })
    assert.equal(told.reason, 'HANDSHAKE_NO_SSL_SUPPORT')
    return
  }
  // MariaDB says 1045 to those, as to an account that requires TLS.
  await asRoot('SET GLOBAL require_secure_transport = ON')
  const told = await refusalOf({})
  assert.equal(told.reason, 'ER_SECURE_TRANSPORT_REQUIRED')
  assert.match(told.words, /insecure transport are prohibited/)
  const { database } = open({ ...server.admin, tls })
  await sql`SET GLOBAL require_secure_transport = OFF`.execute(database.kysely)
  await database.close({ deadlineMs: 100 })
})

test('what is refused is not given up: it serves when it is mended', async () => {
  await createAccount('waiting', 'ACCOUNT LOCK')
  const { database, lines } = open({ user: 'waiting', password: async () => PASSWORD })
  try {
    await assert.rejects(ask(database), { name: 'ConnectRefusedError' })
    await asRoot("ALTER USER 'waiting'@'%' ACCOUNT UNLOCK")
    const startedAtMs = performance.now()
    for (;;) {
      const isServed = await ask(database).then(
        () => true,
        () => false,
      )
      if (isServed) break
      assert.ok(performance.now() - startedAtMs < 5_000)
      await sleep(50)
    }
    assert.deepEqual(
      lines.map(({ message }) => message),
      ['no new connection to the database', 'connected to the database again'],
    )
  } finally {
    await database.close({ deadlineMs: 100 })
  }
})

test('a limit of connections is waited for, since time mends it', async () => {
  await createAccount('limited', 'WITH MAX_USER_CONNECTIONS 1')
  const login = { user: 'limited', password: async () => PASSWORD }
  const { database: first } = open(login)
  const { database: second } = open(login)
  try {
    await ask(first)
    const asked = ask(second)
    await sleep(300)
    await first.close({ deadlineMs: 100 })
    await asked
  } finally {
    await first.close({ deadlineMs: 100 })
    await second.close({ deadlineMs: 100 })
  }
})
