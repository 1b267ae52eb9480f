import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { ConnectRefusedError } from '../../db/errors.ts'
import type { Flow } from '../support/fault-proxy-flow.ts'
import { lasting } from '../support/faults-run.ts'
import { atMost, given, reportFigures } from '../support/figures.ts'
import {
  durationOf,
  openPoolSite,
  type PoolServer,
  type PoolSite,
  type PoolSiteOptions,
  startPoolServer,
} from '../support/pool-site.ts'
import { asAdmin } from '../support/server-faults.ts'

const LIMIT_MS = 180_000

let server: PoolServer
let site: PoolSite

beforeAll(async () => {
  // The server's own defaults: it remembers hosts, and blocks those that give up too many handshakes.
  server = await startPoolServer({ serverArguments: ['--skip-name-resolve=OFF', '--max-connect-errors=100'] })
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

/** A site that meets connections as `meet` says, from the first one on. */
async function open(meet: (flow: Flow) => void, options: PoolSiteOptions = {}): Promise<void> {
  site = await openPoolSite(server, options)
  site.proxy.onFlow = meet
}

/** Most connections and attempts at once, the control connection included, until the returned function is called. */
function countFlows(): () => number {
  let most = 0
  const timer = setInterval(() => (most = Math.max(most, site.proxy.flows.length)), 5)
  return () => {
    clearInterval(timer)
    return most
  }
}

/** Handshakes that the server says were given up. */
async function givenUp(): Promise<number> {
  return await asAdmin(server, async (admin) => {
    const [rows] = await admin.query("SHOW GLOBAL STATUS LIKE 'Aborted_connects'")
    return Number((rows as { Value: string }[])[0]?.Value)
  })
}

/** What the server counts against hosts. MariaDB shows it only where its performance schema is on. */
async function connectErrors(): Promise<number> {
  return await asAdmin(server, async (admin) => {
    const [rows] = await admin.query(
      'SELECT COALESCE(SUM(sum_connect_errors), 0) AS errors FROM performance_schema.host_cache',
    )
    return Number((rows as { errors: unknown }[])[0]?.errors)
  })
}

/** Pool sizes, without and with TLS; MariaDB has none by itself. */
const slowLinks = [
  [16, 'plain'],
  [2, 'plain'],
  [1, 'plain'],
  [16, 'TLS'],
] as const

test.for(slowLinks)(
  'a link on which each answer takes 300 ms connects, with a pool of %i, %s',
  { timeout: LIMIT_MS },
  async ([size, transport], { skip }) => {
    if (transport === 'TLS' && server.flavour === 'mariadb') skip('the server has no certificate')
    const tls = { verifyCertificate: false, verifyIdentity: false }
    site = await openPoolSite(server, { pool: { size }, ...(transport === 'TLS' && { connection: { tls } }) })
    site.proxy.delayMs = 150 // each way
    const mostFlows = countFlows()
    const startedAtMs = performance.now()
    const first = site.within(10_000, () => site.read())
    await first
    const firstAfterMs = performance.now() - startedAtMs
    const later = await Promise.all(
      Array.from({ length: 16 }, () => durationOf(site.within(10_000, () => site.read()))),
    )
    await site.settled({ connecting: 0 }, 10_000)
    await reportFigures(`each answer 300 ms late, pool of ${size}, ${transport}`, server, [
      atMost('first answer after', firstAfterMs, 4_000, 'ms'),
      given('slowest of 16 at once after that', Math.max(...later), 'ms'),
      atMost('connections and attempts at once', mostFlows(), size + 2),
    ])
    assert.deepEqual(site.evictions, [])
  },
)

test(
  'a greeting that comes 1.5 s late is waited for: the server counts nothing against us',
  async () => {
    const [abortedBefore, errorsBefore] = [await givenUp(), await connectErrors()]
    await open((flow) => {
      flow.stall('toClient')
      setTimeout(() => flow.resume(), 1_500)
    })
    const mostFlows = countFlows()
    let served = 0
    const endMs = performance.now() + lasting(120_000, 6_000)
    const clients = Array.from({ length: 16 }, async () => {
      while (performance.now() < endMs) {
        await site.within(5_000, () => site.read()).then(() => (served += 1))
        await sleep(10)
        // Nothing lasts, so that connecting goes on.
        if (served % 50 === 0) for (const flow of site.proxy.flows) if (flow.bytes.toClient > 1_000) flow.cut('fin')
      }
    })
    await Promise.allSettled(clients)
    const flows = mostFlows()
    site.proxy.onFlow = () => {}
    site.proxy.cutAll('fin')
    const afterwardsMs = await durationOf(site.within(5_000, () => site.read()))
    await reportFigures('greeting 1.5 s late, 16 clients, and everything cut now and then', server, [
      given('attempts', site.proxy.acceptedAtMs.length),
      given('reads', served),
      atMost('sum_connect_errors', (await connectErrors()) - errorsBefore, 19),
      given('Aborted_connects', (await givenUp()) - abortedBefore),
      atMost('connections and attempts at once', flows, 18),
      atMost('afterwards served after', afterwardsMs, 1_100, 'ms'),
    ])
    assert.ok(served > 16)
  },
  LIMIT_MS,
)

/** Callers who wait for longer than an outage lasts. */
const patient = { pool: { acquireTimeoutMs: 60_000 } }

/** Where a handshake stops for ever: before the greeting, after it, after the login, within session set-up. */
const stops = [0, 50, 120, 200]

test.for(stops)(
  'a path that swallows whatever comes after %i bytes, and works again, serves within about a second',
  { timeout: LIMIT_MS },
  async (bytes) => {
    let isSwallowing = true
    await open((flow) => {
      if (!isSwallowing) return
      if (bytes === 0) flow.forget()
      else flow.watch('toClient', () => flow.bytes.toClient >= bytes && flow.forget())
    }, patient)
    const mostFlows = countFlows()
    const reading = site.within(60_000, () => site.read())
    await sleep(lasting(10_000, 3_300))
    isSwallowing = false
    const tookMs = await durationOf(reading)
    await reading
    await reportFigures(`mute after ${bytes} bytes of the handshake`, server, [
      given('attempts', site.proxy.acceptedAtMs.length),
      atMost('connections and attempts at once', mostFlows(), 18),
      atMost('served after', tookMs, 1_100, 'ms'),
    ])
    assert.deepEqual(
      site.events.filter(({ name }) => name.startsWith('outage')).map(({ name }) => name),
      ['outageStarted', 'outageEnded'],
    )
  },
)

test.for([1, 2, 4])(
  'so it does for a pool of %i, within 5 s, and with as few attempts at once',
  { timeout: LIMIT_MS },
  async (size) => {
    site = await openPoolSite(server, { pool: { ...patient.pool, size } })
    site.proxy.reception = { name: 'mute' }
    const mostFlows = countFlows()
    const reading = site.within(60_000, () => site.read())
    await sleep(lasting(20_000, 4_000))
    site.proxy.reception = { name: 'forward' }
    const tookMs = await durationOf(reading)
    await reading
    await reportFigures(`mute, pool of ${size}`, server, [
      atMost('connections and attempts at once', mostFlows(), size + 2),
      atMost('served after', tookMs, 5_100, 'ms'),
    ])
    // The control connection and everybody else get what they need, though the mute attempts are still there.
    await Promise.all(Array.from({ length: size }, () => site.within(5_000, () => site.read(0.01))))
  },
)

test('an attempt that gets through late joins the pool, or says goodbye', async () => {
  const flows: Flow[] = []
  await open(
    (flow) => {
      flows.push(flow)
      if (flow.id <= 2) flow.stall('toClient')
    },
    { pool: { size: 1 } },
  )
  const before = await givenUp()
  const reading = site.within(5_000, () => site.read())
  await sleep(1_500)
  assert.equal(flows.length, 2)
  for (const flow of flows) flow.resume()
  await reading
  await site.settled({ total: 1, connecting: 0 }, 3_000)
  await sleep(300)
  assert.equal(await givenUp(), before)
  assert.ok((await site.sessions()).length <= 2)
})

test('a wrong password is tried three times in three seconds, however much it is needed, and a new one at once', async () => {
  if (server.flavour === 'mysql') await lockAfterFour()
  let password = 'wrong'
  site = await openPoolSite(server, { connection: { password: async () => password } })
  const endMs = performance.now() + 2_900
  const clients = Array.from({ length: 16 }, async () => {
    while (performance.now() < endMs) {
      await assert.rejects(
        site.within(1_000, () => site.read()),
        ConnectRefusedError,
      )
      await sleep(20)
    }
  })
  await Promise.all(clients)
  assert.ok(site.proxy.acceptedAtMs.length <= 3, `${site.proxy.acceptedAtMs.length} attempts`)
  password = await server.account.password()
  const startedAtMs = performance.now()
  while (
    await site.read().then(
      () => false,
      () => true,
    )
  ) {
    assert.ok(performance.now() - startedAtMs < 1_000, 'the account is not locked, and the new password is used')
    await sleep(10)
  }
})

async function lockAfterFour(): Promise<void> {
  await asAdmin(
    server,
    async (admin) =>
      void (await admin.query(`ALTER USER '${server.account.user}'@'%' FAILED_LOGIN_ATTEMPTS 4 PASSWORD_LOCK_TIME 1`)),
  )
}

test('a password that never comes, or cannot be had, is asked for again beside it', async () => {
  let asked = 0
  const password = () => {
    asked += 1
    if (asked === 1) return new Promise<string>(() => {})
    return asked === 2 ? Promise.reject(new Error('no secret today')) : server.account.password()
  }
  site = await openPoolSite(server, { connection: { password } })
  const tookMs = await durationOf(site.within(5_000, () => site.read()))
  assert.ok(tookMs >= 900 && tookMs < 2_300, `${tookMs} ms`)
})
