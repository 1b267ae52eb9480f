import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer } from '../support/fault-site.ts'
import { atMost, given, reportFigures } from '../support/figures.ts'
import { failedOf, firstSuccessAfterMs, slowestMs, unansweredOf } from '../support/request-figures.ts'

const LIMIT_MS = 60_000
const AWAY_MS = 3_000
/** Above the 5 s that a request may wait, so that some are answered while the server is absent. */
const ABSENT_MS = 6_000

let server: FaultServer
/** The same data, for where a server takes longer than 3 s to start: clients cannot tell the two apart. */
let successor: FaultServer
let site: FaultSite

beforeAll(async () => {
  const servers = await Promise.all([startFaultServer(), startFaultServer()])
  ;[server, successor] = servers
})
afterAll(async () => {
  await Promise.all([server.dispose(), successor.dispose()])
})
afterEach(() => site.dispose())

async function takeAway(scenario: string, end: () => Promise<void>): Promise<void> {
  site = await openFaultSite(server)
  const clients = site.startClients()
  await sleep(1_500)
  const goneAtMs = performance.now()
  const cpuBefore = await site.service.cpuSeconds()
  site.proxy.refuse()
  const restarted = end().then(() => server.start())
  await sleep(AWAY_MS)
  const isBack = await Promise.race([restarted.then(() => true), sleep(0).then(() => false)])
  if (!isBack) site.proxy.target = successor.account
  const cpuSeconds = (await site.service.cpuSeconds()) - cpuBefore
  const backAtMs = performance.now()
  await site.proxy.listen()
  await sleep(2_000)
  const records = await clients.stop()
  await restarted
  await reportFigures(scenario, server, [
    given('away', backAtMs - goneAtMs, 'ms'),
    given('reads', records.length),
    atMost('failed reads', failedOf(records).length, 0),
    atMost('first success after it listens again', firstSuccessAfterMs(records, backAtMs), 500, 'ms'),
    atMost('CPU while away', cpuSeconds, 0.2, 's'),
  ])
}

test(
  'reads wait while the server is killed and away for 3 s',
  () => takeAway('server killed, away 3 s', () => server.kill()),
  LIMIT_MS,
)

test(
  'reads wait while the server is restarted and away for 3 s',
  () => takeAway('server restarted, away 3 s', () => server.stop()),
  LIMIT_MS,
)

test(
  'the service starts before its server, and serves as soon as it is there',
  async () => {
    site = await openFaultSite(server, { prepare: (proxy) => proxy.refuse() })
    const clients = site.startClients()
    await sleep(ABSENT_MS)
    const whileAbsent = [...clients.records]
    const backAtMs = performance.now()
    await site.proxy.listen()
    await sleep(2_000)
    const records = await clients.stop()
    await reportFigures('server absent at start', server, [
      atMost('HTTP up after', site.service.startedInMs, 1_000, 'ms'),
      given('answers while it was absent', whileAbsent.length),
      atMost('other than 503', whileAbsent.filter(({ status }) => status !== 503).length, 0),
      atMost('unanswered', unansweredOf(records).length, 0),
      atMost('slowest', slowestMs(records), 5_200, 'ms'),
      atMost('first success after it is there', firstSuccessAfterMs(records, backAtMs), 500, 'ms'),
    ])
  },
  LIMIT_MS,
)
