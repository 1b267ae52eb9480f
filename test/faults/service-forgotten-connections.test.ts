import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { createWaveSender } from '../support/clients.ts'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer, until } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { atMost, given, reportFigures } from '../support/figures.ts'
import { failedOf, firstSuccessAfterMs, slowestMs } from '../support/request-figures.ts'
import { lockTable } from '../support/server-faults.ts'

const LIMIT_MS = 60_000
const POOL_SIZE = 16
/** A socket that the network has forgotten must be closed by then. */
const CLEANUP_LIMIT_MS = 10_000

let server: FaultServer
let site: FaultSite

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

function countForgotten(): number {
  return site.proxy.flows.filter((flow) => flow.isForgotten).length
}

/** As many requests as the pool has connections wait for a lock until all of them are open. */
async function openWholePool(): Promise<void> {
  const fault = await lockTable(server, `${server.account.database}.city`)
  const sender = createWaveSender({ url: site.service.url })
  const answers = sender.send(POOL_SIZE)
  // And the one for the pool's questions about sessions, for which the yardstick waits in vain.
  await until(() => site.proxy.flows.length > POOL_SIZE, 3_000)
  await fault.lift()
  await answers
  sender.close()
}

test(
  'reads succeed after idle connections were forgotten by the network',
  async () => {
    site = await openFaultSite(server)
    await openWholePool()
    // Longer than connections are trusted without a ping.
    await sleep(lasting(10_000, 5_500))
    site.proxy.forgetAll()
    const forgotten = countForgotten()
    const sender = createWaveSender({ url: site.service.url })
    const first = await sender.send(32)
    const second = await sender.send(32)
    sender.close()
    await until(() => countForgotten() === 0, CLEANUP_LIMIT_MS)
    await reportFigures('idle and silently forgotten', server, [
      given('connections forgotten', forgotten),
      atMost('failed reads', failedOf([...first, ...second]).length, 0),
      atMost('first wave of 32', slowestMs(first), 350, 'ms'),
      atMost('second wave of 32', slowestMs(second), 100, 'ms'),
      atMost('dead sockets left', countForgotten(), 0),
    ])
  },
  LIMIT_MS,
)

test(
  'reads succeed when connections are forgotten with statements in flight',
  async () => {
    site = await openFaultSite(server)
    const clients = site.startClients()
    await sleep(1_500)
    const forgottenAtMs = performance.now()
    site.proxy.forgetAll()
    await sleep(lasting(10_000, 5_000))
    const goneAfterMs = await until(() => countForgotten() === 0, CLEANUP_LIMIT_MS)
    const records = await clients.stop()
    // What was asked before may have been answered already.
    const later = records.filter(({ startMs }) => startMs >= forgottenAtMs)
    await reportFigures('forgotten with statements in flight', server, [
      given('reads', records.length),
      atMost('failed reads', failedOf(records).length, 0),
      atMost('first success', firstSuccessAfterMs(later, forgottenAtMs), 2_000, 'ms'),
      atMost('slowest', slowestMs(records), 3_000, 'ms'),
      atMost('dead sockets left', Number.isFinite(goneAfterMs) ? 0 : countForgotten(), 0),
    ])
  },
  LIMIT_MS,
)

test.each([
  { idleMs: 3_000, mostMs: 400 },
  { idleMs: 600, mostMs: 400 },
  // Trusted without a look: that an answer will never come is found out by asking the server.
  { idleMs: 200, mostMs: 2_000 },
])(
  'reads succeed after all flows were forgotten $idleMs ms after their last use',
  async ({ idleMs, mostMs }) => {
    site = await openFaultSite(server)
    await openWholePool()
    const sender = createWaveSender({ url: site.service.url })
    await sender.send(32) // their clients' sockets
    await sleep(1_000) // attempts to connect are limited by the second
    // All of them are heard of at the same time.
    await openWholePool()
    await sleep(idleMs)
    site.proxy.forgetAll()
    const forgotten = countForgotten()
    const first = await sender.send(32)
    const second = await sender.send(32)
    sender.close()
    await reportFigures(`idle for ${idleMs / 1000} s, all flows forgotten`, server, [
      given('flows forgotten', forgotten),
      atMost('failed reads', failedOf([...first, ...second]).length, 0),
      atMost('first wave of 32', slowestMs(first), mostMs, 'ms'),
      atMost('next wave of 32', slowestMs(second), 120, 'ms'),
    ])
  },
  LIMIT_MS,
)
