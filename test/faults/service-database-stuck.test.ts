import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { atMost, given, reportFigures } from '../support/figures.ts'
import { firstSuccessAfterMs, mostPerSecond, slowestMs, unansweredOf } from '../support/request-figures.ts'
import { type LastingFault, lockTable } from '../support/server-faults.ts'

const LIMIT_MS = 60_000

let server: FaultServer
let site: FaultSite

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

async function stick(scenario: string, start: () => Promise<LastingFault>): Promise<void> {
  site = await openFaultSite(server)
  const clients = site.startClients()
  await sleep(1_500)
  site.proxy.resetCounts()
  const fault = await start()
  await sleep(lasting(10_000, 6_500))
  const attempts = [...site.proxy.acceptedAtMs]
  const answered = clients.records.length
  await fault.lift()
  const overAtMs = performance.now()
  await sleep(2_000)
  const records = await clients.stop()
  await reportFigures(scenario, server, [
    given('requests', records.length),
    atMost('unanswered', unansweredOf(records).length, 0),
    atMost('slowest', slowestMs(records), 5_200, 'ms'),
    atMost('other than 503 and 504', countOthers(records.slice(0, answered)), 0),
    atMost('new connections in any second meanwhile', mostPerSecond(attempts), 10),
    atMost('first success after', firstSuccessAfterMs(records, overAtMs), 500, 'ms'),
  ])
}

function countOthers(records: readonly { readonly status: number; readonly isOk: boolean }[]): number {
  return records.filter(({ status, isOk }) => !isOk && status !== 503 && status !== 504).length
}

test(
  'every request is answered while the server is frozen',
  () =>
    stick('server frozen', async () => {
      await server.freeze()
      return { lift: server.thaw }
    }),
  LIMIT_MS,
)

test(
  'every request is answered while the table is locked',
  () => stick('table locked', () => lockTable(server, `${server.account.database}.city`)),
  LIMIT_MS,
)
