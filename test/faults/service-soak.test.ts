import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, test } from 'vitest'
import {
  answersByFault,
  countStatuses,
  describeAnswers,
  describeCounts,
  type MetFault,
  successPercent,
} from '../support/answers-by-fault.ts'
import { createCityWriter, tallyWrites, WRITE_TOKEN } from '../support/city-writer.ts'
import type { RequestRecord } from '../support/clients.ts'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer, until } from '../support/fault-site.ts'
import { faultsRun } from '../support/faults-run.ts'
import { atLeast, atMost, type Figure, given, reportFigures } from '../support/figures.ts'
import { createRandom, type SeededRandom } from '../support/random.ts'
import { failedOf, slowestMs } from '../support/request-figures.ts'
import { killSessions, type LastingFault, lockTable, setReadOnly, setWaitTimeout } from '../support/server-faults.ts'

const minutes = Number(process.env['SOAK_MINUTES'] ?? 0.3)
const seed = Number(process.env['SOAK_SEED'] ?? Date.now() % 2 ** 31)
const POOL_SIZE = 8
/** Below this a storm is too short for its share of successes to say anything: one long fault is most of it. */
const JUDGED_MINUTES = 3
const LEAST_PERCENT = 98.5
/** `city_id` ends at 65,535, and failed inserts use ids up as well. */
const MOST_WRITES = 40_000

let server: FaultServer
let site: FaultSite

beforeAll(async () => {
  console.info(`[soak] SOAK_SEED=${seed}, ${minutes} minutes`)
  server = await startFaultServer()
  site = await openFaultSite(server, {
    environment: {
      LOOKUP_BATCH: '32', // as shipped
      POOL_SIZE: String(POOL_SIZE),
      WRITE_TOKENS: WRITE_TOKEN,
      // With gigabytes to fill, Node would let garbage lie, and a leak would look like that.
      NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=4',
    },
  })
})
afterAll(async () => {
  await site.dispose()
  await server.dispose()
})

type Fault = (random: SeededRandom) => Promise<void>

/** Each lasts for a while, and leaves the server and the proxy as they were; what is forgotten stays forgotten. */
const faults: Readonly<Record<string, Fault>> = {
  killed: async () => void (await killSessions(server, server.account.user)),
  closed: async () => site.proxy.cutAll('fin'),
  reset: async () => site.proxy.cutAll('rst'),
  forgotten: async () => site.proxy.forgetAll(),
  cutAnywhere: async (random) => {
    const direction = random.next() < 0.5 ? 'toClient' : 'toServer'
    site.proxy.onFlow = (flow) =>
      flow.cutAfter({ direction, bytes: random.integer(1, 20_000), end: random.next() < 0.5 ? 'fin' : 'rst' })
    site.proxy.cutAll('rst')
    await sleep(1_000)
    site.proxy.onFlow = () => {}
  },
  slow: async (random) => {
    site.proxy.delayMs = random.integer(1, 30)
    site.proxy.cutAll('rst')
    await sleep(1_000)
    site.proxy.delayMs = 0
    site.proxy.cutAll('rst')
  },
  mute: async (random) => {
    site.proxy.reception = { name: 'mute' }
    site.proxy.cutAll('rst')
    await sleep(random.integer(200, 1_500))
    site.proxy.reception = { name: 'forward' }
  },
  refused: async (random) => {
    site.proxy.refuse()
    site.proxy.cutAll('fin')
    await sleep(random.integer(200, 1_500))
    await site.proxy.listen()
  },
  frozen: async (random) => {
    await server.freeze()
    await sleep(random.integer(200, 2_000))
    await server.thaw()
  },
  restarted: async () => {
    await server.stop()
    await server.start()
  },
  crashed: async () => {
    await server.kill()
    await server.start()
  },
  locked: async (random) => await lastFor(await lockTable(server, 'stillherefaults.city'), random),
  readOnly: async (random) => await lastFor(await setReadOnly(server), random),
  impatient: async (random) => await lastFor(await setWaitTimeout(server, 1), random),
}

async function lastFor(fault: LastingFault, random: SeededRandom): Promise<void> {
  await sleep(random.integer(200, 1_500))
  await fault.lift()
}

function answeredIn(name: string, records: readonly RequestRecord[]): Figure {
  const percent = successPercent(countStatuses(records))
  return minutes >= JUDGED_MINUTES ? atLeast(name, percent, LEAST_PERCENT, '%') : given(name, percent, '%')
}

async function poolGauges(): Promise<Record<string, number>> {
  const response = await fetch(`${site.service.url}/healthz`, { headers: { Accept: 'application/health+json' } })
  const { checks } = (await response.json()) as { checks: Record<string, Record<string, number>[]> }
  return checks['pool:connections']?.[0] ?? {}
}

test(
  'whatever happens, acknowledged writes exist once, nothing is written twice, and all is well afterwards',
  async () => {
    const random = createRandom(seed)
    const endMs = performance.now() + minutes * 60_000
    const readers = site.startClients({ count: 12, pauseMs: 20 })
    const pauseMs = Math.max(60, (minutes * 60_000 * 4) / MOST_WRITES)
    const writers = site.startClients({ count: 4, pauseMs, exchange: createCityWriter() })
    const kinds = Object.keys(faults)
    const met: MetFault[] = []
    let megabytesAtFirst = Number.NaN
    while (performance.now() < endMs) {
      const kind = kinds[random.integer(0, kinds.length - 1)] ?? 'killed'
      const fromMs = performance.now()
      await faults[kind]?.(random)
      met.push({ kind, fromMs, untilMs: performance.now() })
      await sleep(random.integer(100, 1_000))
      const isWarm = performance.now() > endMs - minutes * 45_000
      if (isWarm && Number.isNaN(megabytesAtFirst)) megabytesAtFirst = await site.service.memoryMegabytes()
    }
    console.info(`[soak] ${met.map(({ kind }) => kind).join(' ')}`)
    const [reads, writes] = await Promise.all([readers.stop(), writers.stop()])
    for (const line of describeAnswers(answersByFault({ faults: met, reads, writes }))) console.info(`[soak] ${line}`)
    // An outage's last attempt to connect may have to time out.
    await sleep(2_000)

    const calm = site.startClients({ count: 16 })
    await sleep(3_000)
    const afterwards = await calm.stop()
    console.info(`[soak] afterwards: reads ${describeCounts(countStatuses(afterwards))}`)
    const settledMs = await until(async () => {
      const { acquired, waiting, connecting } = await poolGauges()
      return acquired === 0 && waiting === 0 && connecting === 0
    }, 5_000)
    const gauges = await poolGauges()
    const tally = await tallyWrites(server, writes)
    await reportFigures(`soak of ${minutes} minutes`, server, [
      given('faults', met.length),
      given('reads', reads.length),
      given('reads that failed meanwhile', failedOf(reads).length),
      answeredIn('reads answered 2xx in the storm', reads),
      atMost('slowest answer', Math.max(slowestMs(reads), slowestMs(writes)), 5_700, 'ms'),
      given('writes', writes.length),
      answeredIn('writes answered 2xx in the storm', writes),
      atMost('acknowledged but lost', tally.lost, 0),
      atMost('written twice', tally.duplicated, 0),
      given('not acknowledged', tally.unacknowledged),
      given('of these written', tally.unacknowledgedButThere),
      atMost('failed afterwards', failedOf(afterwards).length, 0),
      atMost('until the gauges were zero', settledMs, 5_000, 'ms'),
      atMost('connections at the end', gauges['total'] ?? Infinity, POOL_SIZE),
      given('MB of memory a quarter in', megabytesAtFirst),
      atMost('MB that it grew by since', (await site.service.memoryMegabytes()) - megabytesAtFirst, 80),
    ])
    assert.ok(faultsRun.subject === 'plain' || afterwards.length > 500, `${afterwards.length} requests afterwards`)
  },
  minutes * 60_000 + 120_000,
)
