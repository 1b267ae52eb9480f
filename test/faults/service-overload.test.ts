import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { createWaveSender, get, type RequestRecord } from '../support/clients.ts'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { atLeast, atMost, given, reportFigures } from '../support/figures.ts'
import { slowestMs, unansweredOf } from '../support/request-figures.ts'

const LIMIT_MS = 120_000

let server: FaultServer
let site: FaultSite

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

async function sendFresh(path: string): Promise<RequestRecord> {
  const sender = createWaveSender({ url: site.service.url, exchange: () => get(path, 'slept'), patienceMs: 60_000 })
  const [record] = await sender.send(1)
  sender.close()
  if (!record) throw new Error('one request has one record')
  return record
}

test(
  'a pool that is asked for more than it can do refuses the rest at once',
  async () => {
    const size = 8
    const statementMs = 500
    site = await openFaultSite(server, { program: 'statements', environment: { POOL_SIZE: String(size) } })
    const clients = site.startClients({
      count: 500,
      pauseMs: 1_000,
      exchange: () => get(`/sleep/${statementMs}`, 'slept'),
    })
    // Until the pool is open and the queue full.
    await sleep(3_000)
    const fromMs = performance.now()
    const forMs = lasting(20_000, 4_000)
    await sleep(forMs)
    const toMs = performance.now()
    const answered = [...clients.records]
    const leaving = clients.leave()
    const fresh = await sendFresh('/sleep/1')
    await leaving
    const served = answered.filter(({ isOk, endMs }) => isOk && endMs >= fromMs && endMs < toMs)
    const refused = answered.filter(({ status, startMs }) => status === 503 && startMs >= fromMs)
    const capacity = (forMs / statementMs) * size
    await reportFigures('500 clients, pool of 8, 500 ms statements', server, [
      given('requests', answered.length),
      atMost('unanswered', unansweredOf(answered).length, 0),
      atMost('slowest', slowestMs(answered), 5_200, 'ms'),
      atLeast('goodput of capacity', (100 * served.length) / capacity, 95, '%'),
      given('refused', refused.length),
      atMost('slowest refusal', slowestMs(refused), 100, 'ms'),
      atMost('fresh request once all have left', fresh.isOk ? slowestMs([fresh]) : Infinity, 200, 'ms'),
    ])
  },
  LIMIT_MS,
)

test(
  'requests whose clients have left hold nobody up',
  async () => {
    site = await openFaultSite(server, { program: 'statements', environment: { POOL_SIZE: '4' } })
    await sendFresh('/sleep/1')
    const clients = site.startClients({ count: 1_000, pauseMs: 200, exchange: () => get('/sleep/300', 'slept') })
    await sleep(400)
    const aborted = await clients.leave()
    const fresh = await sendFresh('/sleep/300')
    await reportFigures('1,000 aborted requests, pool of 4, 300 ms statements', server, [
      given('requests that got no answer', unansweredOf(aborted).length),
      atMost('fresh request of 300 ms', fresh.isOk ? slowestMs([fresh]) : Infinity, 700, 'ms'),
    ])
  },
  LIMIT_MS,
)
