import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { createCityWriter, tallyWrites, WRITE_TOKEN } from '../support/city-writer.ts'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer, until } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { atLeast, atMost, given, reportFigures } from '../support/figures.ts'
import { failedOf, slowestMs } from '../support/request-figures.ts'

const LIMIT_MS = 120_000

let server: FaultServer
let site: FaultSite

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

test(
  'a database whose every reply is 300 ms late is served from, found alive, and keeps its connections',
  async () => {
    site = await openFaultSite(server, { prepare: (proxy) => proxy.delayReplies(300) })
    const { url } = site.service
    const startedAtMs = performance.now()
    const isServed = async () => (await fetch(`${url}/?city=London`)).status === 200
    const firstAfterMs = await until(isServed, 10_000)
    const clients = site.startClients()
    const checks: { status: number; ms: number }[] = []
    const endMs = performance.now() + lasting(30_000, 6_000)
    while (performance.now() < endMs) {
      const askedAtMs = performance.now()
      const { status } = await fetch(`${url}/healthz`)
      checks.push({ status, ms: performance.now() - askedAtMs })
      await sleep(1_000)
    }
    const records = await clients.stop()
    const metrics = await (await fetch(`${url}/metrics`)).text()
    const evicted = [...metrics.matchAll(/^pool_evicted_total\{[^}]*\} (\d+)/gm)]
    await reportFigures('every reply 300 ms late', server, [
      given('seconds', (performance.now() - startedAtMs) / 1000),
      atMost('first answer', firstAfterMs, 4_000, 'ms'),
      given('reads', records.length),
      atMost('failed reads', failedOf(records).length, 0),
      atMost('slowest', slowestMs(records), 5_000, 'ms'),
      atMost('checks that found the pool dead', checks.filter(({ status }) => status !== 200).length, 0),
      atMost('slowest check', Math.max(...checks.map(({ ms }) => ms)), 1_000, 'ms'),
      atMost(
        'evicted',
        evicted.reduce((sum, [, count]) => sum + Number(count), 0),
        0,
      ),
    ])
  },
  LIMIT_MS,
)

test(
  'writes over such a link are all done, given time for their round trips',
  async () => {
    site = await openFaultSite(server, {
      prepare: (proxy) => proxy.delayReplies(300),
      environment: { WRITE_TOKENS: WRITE_TOKEN, REQUEST_TIMEOUT_MS: '15000' },
    })
    const clients = site.startClients({ exchange: createCityWriter() })
    await sleep(lasting(30_000, 8_000))
    const writes = await clients.stop()
    const tally = await tallyWrites(server, writes)
    await reportFigures('every reply 300 ms late, writes', server, [
      given('writes', writes.length),
      atLeast('acknowledged', (100 * tally.acknowledged) / writes.length, 100, '%'),
      atMost('lost', tally.lost, 0),
      atMost('duplicated', tally.duplicated, 0),
      atMost('slowest', slowestMs(writes), 15_000, 'ms'),
    ])
  },
  LIMIT_MS,
)
