import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, test } from 'vitest'
import { StatementLostError } from '../../db/errors.ts'
import type { Flow } from '../support/fault-proxy-flow.ts'
import { lasting } from '../support/faults-run.ts'
import { openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'
import { killSessions, queryAsAdmin } from '../support/server-faults.ts'

let server: PoolServer

beforeAll(async () => {
  server = await startPoolServer()
})
afterAll(() => server.dispose())

/** Numbers from 0 to below 1 that are the same for the same seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** What callers did, and what they were told about it. */
interface Ledger {
  readonly acknowledged: string[]
  /** Told that it did not happen. */
  readonly undone: string[]
  readonly unknown: string[]
  /** Refused as there already: each text is written by one caller, once. */
  readonly duplicates: string[]
  settled: number
}

/** Callers that use the pool in every way, and leave at any moment. */
class Callers {
  readonly ledger: Ledger = { acknowledged: [], undone: [], unknown: [], duplicates: [], settled: 0 }
  readonly #site: PoolSite
  readonly #random: () => number
  #count = 0

  constructor(site: PoolSite, random: () => number) {
    this.#site = site
    this.#random = random
  }

  /** One use of the pool; never rejects. */
  async act(): Promise<void> {
    const uses = [
      () => this.#read(),
      () => this.#read(),
      () => this.#insert(),
      () => this.#insert(),
      () => this.#insert(),
      () => this.#insert(),
      () => this.#transact(),
      () => this.#change(),
      () => this.#stream(),
    ]
    const use = uses[Math.floor(this.#random() * uses.length)]
    const leavesAfterMs = this.#random() < 0.2 ? this.#random() * 100 : undefined
    await this.#site
      .within(200 + this.#random() * 1_500, async (scope) => {
        if (leavesAfterMs !== undefined) setTimeout(() => scope.abort(new Error('left')), leavesAfterMs)
        else if (this.#random() < 0.1) setImmediate(() => scope.abort(new Error('left at once')))
        await use?.()
      })
      .catch(() => {}) // what writes were told is in the ledger; reads may fail here
    this.ledger.settled += 1
  }

  async #read(): Promise<void> {
    await this.#site.read(this.#random() * 0.05)
  }

  async #insert(): Promise<void> {
    const text = this.#newText()
    await this.#recorded([text], () => this.#site.insert(text))
  }

  async #transact(): Promise<void> {
    const texts = [this.#newText(), this.#newText()]
    await this.#recorded(texts, () =>
      this.#site.db.transaction().execute(async (trx) => {
        for (const text of texts) await trx.insertInto('note').values({ text }).execute()
        await sleep(this.#random() * 20)
        if (this.#random() < 0.1) throw new Error('changed my mind')
      }),
    )
  }

  /** Changes its session, or leaves a transaction open. */
  async #change(): Promise<void> {
    await this.#site.db.connection().execute(async (held) => {
      await sql.raw(this.#random() < 0.5 ? 'set @mine = 1' : 'begin').execute(held)
    })
  }

  async #stream(): Promise<void> {
    const rows = this.#site.db.selectFrom('note').select('id').limit(50).stream()
    for await (const row of rows) if (row.id > 0 && this.#random() < 0.05) break
  }

  #newText(): string {
    this.#count += 1
    return `random ${this.#count}`
  }

  async #recorded(texts: readonly string[], write: () => Promise<unknown>): Promise<void> {
    try {
      await write()
      this.ledger.acknowledged.push(...texts)
    } catch (error) {
      this.#listFor(error).push(...texts)
      throw error
    }
  }

  #listFor(error: unknown): string[] {
    if ((error as { errno?: unknown }).errno === 1062) return this.ledger.duplicates
    const isUndone = error instanceof StatementLostError && error.outcome !== 'unknown'
    return isUndone ? this.ledger.undone : this.ledger.unknown
  }
}

/** What networks and servers do, one thing at a time, until `isOver`. */
async function makeFaults(site: PoolSite, random: () => number, isOver: () => boolean): Promise<number> {
  let count = 0
  const anyFlow = (): Flow | undefined => {
    const working = site.proxy.flows.filter(({ isForgotten }) => !isForgotten)
    return working[Math.floor(random() * working.length)]
  }
  const end = () => (random() < 0.5 ? 'fin' : 'rst')
  const faults = [
    () => site.proxy.cutAll(end()),
    () => anyFlow()?.cut(end()),
    () => anyFlow()?.forget(),
    () => anyFlow()?.cutAfter({ direction: 'toServer', bytes: Math.floor(random() * 300), end: end() }),
    () => anyFlow()?.cutAfter({ direction: 'toClient', bytes: Math.floor(random() * 300), end: end() }),
    // In the middle of the answer to a write.
    () => anyFlow()?.cutAfter({ direction: 'toClient', bytes: Math.floor(random() * 11), end: end() }),
    () => anyFlow()?.cutAfter({ direction: 'toClient', bytes: Math.floor(random() * 11), end: end() }),
    () => anyFlow()?.cutAfter({ direction: 'toClient', bytes: Math.floor(random() * 11), end: end() }),
    () => killSessions(server, server.account.user),
    async () => {
      site.proxy.stallAll()
      await sleep(random() * 300)
      site.proxy.resumeAll()
    },
    async () => {
      site.proxy.refuse()
      site.proxy.cutAll(end())
      await sleep(random() * 300)
      await site.proxy.listen()
    },
    async () => {
      site.proxy.reception = { name: 'mute' }
      await sleep(random() * 300)
      site.proxy.reception = { name: 'forward' }
    },
  ]
  while (!isOver()) {
    await sleep(50 + random() * 200)
    await faults[Math.floor(random() * faults.length)]?.()
    count += 1
  }
  return count
}

test('a random mix of uses and faults ends with all gauges at zero and every write told truly', {
  timeout: 120_000,
}, async () => {
  const seed = Number(process.env['FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.info(`[random] seed ${seed} (FAULTS_SEED=${seed} repeats it)`)
  const random = createRandom(seed)
  const pool = {
    size: 6,
    minIdle: 2,
    validateAfterIdleMs: 200,
    keepaliveMs: 300,
    idleTimeoutMs: 1_000,
    maxLifetimeMs: 2_000,
  }
  const site = await openPoolSite(server, { pool })
  const callers = new Callers(site, random)
  let isOver = false
  let started = 0
  const actor = async () => {
    while (!isOver) {
      started += 1
      await callers.act()
      await sleep(random() * 30)
    }
  }
  const actors = Promise.all(Array.from({ length: 8 }, actor))
  const faults = makeFaults(site, random, () => isOver)
  await sleep(lasting(60_000, 6_000))
  isOver = true
  console.info(`[random] ${started} uses, ${await faults} faults`)
  await actors
  await site.settled({ acquired: 0, waiting: 0 }, 3_000)
  const [lost, again] = [site.countOf('unknownOutcome'), site.countOf('retried')]
  console.info(
    `[random] ${lost} outcomes unknown, ${again} statements run again, ${site.evictions.length} connections lost`,
  )
  const { ledger } = callers
  assert.equal(ledger.settled, started)
  // It is fit again.
  for (let count = 0; count < 20; count += 1) await site.within(2_000, () => site.read())
  await site.dispose() // asserts that the gauges are at zero
  const rows = await queryAsAdmin(server, `SELECT text FROM ${server.table}`)
  const texts = new Set(rows.map(({ text }) => String(text)))
  assert.equal(texts.size, rows.length)
  assert.ok(ledger.acknowledged.length > 50, `${ledger.acknowledged.length} acknowledged`)
  assert.deepEqual(
    ledger.acknowledged.filter((text) => !texts.has(text)),
    [],
    'acknowledged and lost',
  )
  assert.deepEqual(
    ledger.undone.filter((text) => texts.has(text)),
    [],
    'told undone, and there',
  )
  console.info(
    `[random] acknowledged ${ledger.acknowledged.length}, undone ${ledger.undone.length}, unknown ${ledger.unknown.length}`,
  )
})
