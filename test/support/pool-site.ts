import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Generated, Kysely, sql } from 'kysely'
import { systemClock } from '../../db/clock.ts'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import { type ResilientMysqlDialect, resilientMysqlDialect } from '../../db/dialect.ts'
import type { PoolOptions } from '../../db/pool/options.ts'
import type { EvictReason, PoolEvent } from '../../db/pool/stats.ts'
import { Scope } from '../../db/scope.ts'
import { asRead } from '../../db/statement-kind.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import type { Flow } from './fault-proxy-flow.ts'
import { until } from './fault-site.ts'
import { type OwnServer, type OwnServerOptions, startOwnServer } from './own-server.ts'
import { asAdmin, countRows, listSessions, queryAsAdmin, type ServerSession } from './server-faults.ts'
import { createSchemaOn } from './test-database.ts'

/** The one table that the pool's scenarios use. */
export interface NoteSchema {
  readonly note: { readonly id: Generated<number>; readonly text: string }
}

/** A server of a test file's own with a table `note`, and an account that may only read and write it. */
export interface PoolServer extends OwnServer {
  readonly account: ConnectionOptions
  /** `note` with its schema, for `lockTable` and `countRows`. */
  readonly table: string
}

export async function startPoolServer(options: OwnServerOptions = {}): Promise<PoolServer> {
  const server = await startOwnServer(options)
  const { app } = await createSchemaOn(server.login)
  return { ...server, account: app, table: await createTable(server, app.database) }
}

/** Another server with the same account and schema: where a failover can lead. */
export async function startTwin({ account }: PoolServer): Promise<PoolServer> {
  const server = await startOwnServer()
  const { user, database } = account
  await asAdmin(server, async (admin) => {
    await admin.query(`CREATE DATABASE ${database}`)
    await admin.query(`CREATE USER '${user}'@'%' IDENTIFIED BY '${await account.password()}'`)
    await admin.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${database}.* TO '${user}'@'%'`)
  })
  const table = await createTable(server, database)
  return { ...server, account: { ...account, port: server.app.port }, table }
}

async function createTable(server: OwnServer, schema: string): Promise<string> {
  const table = `${schema}.note`
  await queryAsAdmin(
    server,
    `CREATE TABLE ${table} (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100) NOT NULL UNIQUE) ENGINE=InnoDB`,
  )
  return table
}

export interface PoolSiteOptions {
  readonly pool?: Partial<PoolOptions>
  readonly connection?: Partial<ConnectionOptions>
}

/** What one test uses: a pool of its own, through Kysely, behind a proxy of its own. */
export class PoolSite {
  readonly server: PoolServer
  readonly proxy: FaultProxy
  readonly dialect: ResilientMysqlDialect
  readonly db: Kysely<NoteSchema>
  readonly events: PoolEvent[] = []
  readonly #scopes = new AsyncLocalStorage<Scope>()

  constructor(server: PoolServer, proxy: FaultProxy, { pool, connection }: PoolSiteOptions) {
    this.server = server
    this.proxy = proxy
    this.dialect = resilientMysqlDialect({
      connection: { ...server.account, ...proxy.address, ...connection },
      currentScope: () => this.#scopes.getStore(),
      session: { time_zone: '+00:00', innodb_lock_wait_timeout: 1 },
      onEvent: (event) => this.events.push(event),
      ...(pool && { pool }),
    })
    this.db = new Kysely({ dialect: this.dialect })
  }

  /** Runs `task` as a request with this much time does. */
  async within<T>(timeoutMs: number, task: (scope: Scope) => Promise<T>): Promise<T> {
    const scope = new Scope(systemClock, timeoutMs)
    try {
      return await this.#scopes.run(scope, () => task(scope))
    } finally {
      scope.end()
    }
  }

  /** A read that takes `seconds`, and says over which session. */
  async read(seconds = 0): Promise<number> {
    return (await this.#readSlowly(seconds).executeTakeFirstOrThrow()).id
  }

  #readSlowly(seconds: number) {
    return this.db.selectNoFrom([
      asRead(sql<number>`connection_id()`).as('id'),
      asRead(sql<number>`sleep(${sql.lit(seconds)})`).as('slept'),
    ])
  }

  async insert(text: string): Promise<void> {
    await this.db.insertInto('note').values({ text }).execute()
  }

  /** How many rows of this text the server has, asked past the pool. */
  async count(text: string): Promise<number> {
    return await countRows(this.server, this.server.table, `text = '${text}'`)
  }

  /** Opens `count` connections and leaves them idle; at most 9, since ten are opened in a second, control included. */
  async fillIdle(count: number): Promise<readonly number[]> {
    const ids = await Promise.all(Array.from({ length: count }, () => this.read(0.1)))
    assert.equal(new Set(ids).size, count, 'each read had a connection of its own')
    await this.settled({ idle: count })
    return ids
  }

  /** Opens the only connection of a pool of one, with the control connection after it, and returns its flow. */
  async openOnly(): Promise<Flow> {
    await this.read()
    assert.ok((await until(() => this.proxy.flows.length === 2, 2_000)) < 2_000, 'the control connection')
    // Session set-up is over when the server has nothing to do.
    const isQuiet = async () => (await this.sessions()).every(({ command }) => command === 'Sleep')
    assert.ok((await until(isQuiet, 2_000)) < 2_000)
    const [flow] = this.proxy.flows
    assert.ok(flow)
    return flow
  }

  /** Waits until the gauges are as given. */
  async settled(gauges: Partial<ResilientMysqlDialect['stats']>, limitMs = 2_000): Promise<void> {
    const isSo = () =>
      Object.entries(gauges).every(([name, value]) => this.dialect.stats[name as keyof typeof gauges] === value)
    const tookMs = await until(isSo, limitMs)
    assert.ok(tookMs <= limitMs, `gauges are ${JSON.stringify(this.dialect.stats)}, not ${JSON.stringify(gauges)}`)
  }

  /** The sessions that the server has of this pool, its control connection among them. */
  async sessions(): Promise<readonly ServerSession[]> {
    return await listSessions(this.server, this.server.account.user)
  }

  /** Waits until the server runs a statement of this pool that contains `part`, and says in which session. */
  async running(part: string): Promise<ServerSession> {
    let found: ServerSession | undefined
    const isThere = async () => {
      found = (await this.sessions()).find(({ info }) => info?.includes(part) && !info.includes('processlist'))
      return found !== undefined
    }
    assert.ok((await until(isThere, 2_000)) < 2_000, `the server runs ${part}`)
    assert.ok(found)
    return found
  }

  /** Waits until a caller holds a connection and has handed its statement to the socket, whatever becomes of it there. */
  async sent(): Promise<void> {
    await this.settled({ acquired: 1 })
    await sleep(20)
  }

  /** How many events of this name there were. */
  countOf(name: PoolEvent['name']): number {
    return this.events.filter((event) => event.name === name).length
  }

  /** Why connections were closed, in order. */
  get evictions(): readonly EvictReason[] {
    return this.events.flatMap((event) => (event.name === 'evicted' ? [event.reason] : []))
  }

  /** Closes the pool, which must leave nothing behind, and the proxy. */
  async dispose(): Promise<void> {
    try {
      await this.dialect.close({ deadlineMs: 1_000 })
      const { total, idle, acquired, waiting } = this.dialect.stats
      assert.deepEqual({ total, idle, acquired, waiting }, { total: 0, idle: 0, acquired: 0, waiting: 0 })
    } finally {
      await this.proxy.dispose()
    }
  }
}

export async function openPoolSite(server: PoolServer, options: PoolSiteOptions = {}): Promise<PoolSite> {
  return new PoolSite(server, await startFaultProxy(server.account), options)
}

/** An error packet as the answer to a statement: sequence number 1. */
export function asAnswer(packet: Buffer): Buffer {
  const answer = Buffer.from(packet)
  answer[3] = 1
  return answer
}

/** How long `task` takes, in ms, however it ends. */
export async function durationOf(task: Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now()
  await task.catch(() => {}) // how it ended is asserted by whoever has the promise
  return performance.now() - startedAtMs
}
