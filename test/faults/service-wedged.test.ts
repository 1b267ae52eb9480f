import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer, until } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { atMost, given, reportFigures } from '../support/figures.ts'
import { probe, startProbes } from '../support/probes.ts'
import { lockTable } from '../support/server-faults.ts'

const LIMIT_MS = 60_000
// Of the 30 s, 5 s and 30 s of production.
const impatient = { LIVEZ_WEDGED_MS: '1000', STALL_LOG_MS: '500', STALL_EXIT_MS: '2000', REQUEST_TIMEOUT_MS: '500' }

let server: FaultServer
let site: FaultSite

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

test(
  'holders that never give back wedge the pool, and liveness says so; locks, freezes and overload do not',
  async () => {
    site = await openFaultSite(server, { breakage: 'leak', environment: { ...impatient, POOL_SIZE: '2' } })
    const { url } = site.service
    const clients = site.startClients({ count: 12, pauseMs: 1 })
    const probes = startProbes(url, ['/livez'])
    const harmlessMs = lasting(20_000, 2_700) // 1 s and 1 s more, had it been mistaken
    await sleep(harmlessMs) // overload: twelve clients without a pause for two connections
    const lock = await lockTable(server, `${server.account.database}.city`)
    await sleep(harmlessMs)
    await lock.lift()
    await server.freeze()
    await sleep(harmlessMs)
    await server.thaw()
    await sleep(1_000)
    const answers = [...(await probes.stop())]
    assert.deepEqual(
      answers.filter(({ status }) => status !== 200),
      [],
    )

    site.service.signal('SIGUSR2')
    const wedgedAfterMs = await until(async () => (await probe(url, '/livez')).status === 503, 15_000)
    const { body } = await probe(url, '/livez')
    assert.equal(body, '[-]pool failed: wedged\nlivez check failed')
    assert.match((await probe(url, '/healthz')).body, /\[\+\]database ok/)
    await clients.stop()
    await reportFigures('wedged pool', server, [
      given('liveness probes before', answers.length),
      given('wedged after', wedgedAfterMs, 'ms'),
      atMost('wedged later than 2 s', wedgedAfterMs - 2_000, 6_000, 'ms'),
    ])
  },
  LIMIT_MS,
)

test(
  'a loop that never yields has its stack logged, and then the process ends',
  async () => {
    site = await openFaultSite(server, { breakage: 'loop', environment: impatient })
    await sleep(1_000)
    assert.deepEqual(site.service.lines, [])
    const brokenAtMs = performance.now()
    site.service.signal('SIGUSR2')
    const { signal, atMs } = await site.service.ended
    assert.equal(signal, 'SIGABRT')
    const lines = site.service.lines.map((line) => JSON.parse(line))
    assert.deepEqual(
      lines.map(({ level, msg }) => [level, msg]),
      [
        ['error', 'the event loop is stuck'],
        ['fatal', 'the event loop is stuck: ending the process'],
      ],
    )
    assert.match(lines[0].stack[0], /^spin \(file:.*break-service\.ts:17:\d+\)$/)
    await reportFigures('stuck event loop', server, [
      given('ended after', atMs - brokenAtMs, 'ms'),
      atMost('later than 2 s', atMs - brokenAtMs - 2_000, 3_000, 'ms'),
    ])
  },
  LIMIT_MS,
)
