import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { type RequestRecord, sendWave } from '../support/clients.ts'
import { errorPacket } from '../support/fault-proxy-flow.ts'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { atMost, given, reportFigures } from '../support/figures.ts'
import { failedOf, longestGapMs, slowestMs } from '../support/request-figures.ts'
import { killSessions, setWaitTimeout } from '../support/server-faults.ts'

const LIMIT_MS = 60_000

let server: FaultServer
let site: FaultSite

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

/** Breaks every idle connection and asks in the same instant, over and over. */
async function closeAndAsk(scenario: string, close: () => void): Promise<void> {
  site = await openFaultSite(server)
  const records: RequestRecord[] = []
  await sendWave({ url: site.service.url })
  for (let round = 0; round < lasting(60, 15); round += 1) {
    await sleep(20 + Math.random() * 50)
    close()
    records.push(...(await sendWave({ url: site.service.url })))
  }
  await reportFigures(scenario, server, [
    given('reads', records.length),
    atMost('failed reads', failedOf(records).length, 0),
    atMost('slowest', slowestMs(records), 200, 'ms'),
  ])
}

test(
  'reads go on while the server closes idle connections by wait_timeout',
  async () => {
    const fault = await setWaitTimeout(server, 1)
    try {
      site = await openFaultSite(server)
      const records: RequestRecord[] = []
      for (let round = 0; round < lasting(15, 6); round += 1) {
        records.push(...(await sendWave({ url: site.service.url, count: 32 })))
        await sleep(950 + Math.random() * 100)
      }
      await reportFigures('idle connections closed by wait_timeout', server, [
        given('reads', records.length),
        atMost('failed reads', failedOf(records).length, 0),
        atMost('slowest', slowestMs(records), 200, 'ms'),
      ])
    } finally {
      await fault.lift()
    }
  },
  LIMIT_MS,
)

test(
  'reads asked in the same instant as a FIN succeed',
  () => closeAndAsk('idle connections closed by FIN in the same instant', () => site.proxy.cutAll('fin')),
  LIMIT_MS,
)

test(
  'reads asked in the same instant as an RST succeed',
  () => closeAndAsk('idle connections closed by RST in the same instant', () => site.proxy.cutAll('rst')),
  LIMIT_MS,
)

test(
  'reads asked in the same instant as the error packet of a closed session succeed',
  async () => {
    const [errno, sqlState] = server.flavour === 'mysql' ? ([4031, 'HY000'] as const) : ([1927, '70100'] as const)
    const packet = errorPacket(errno, sqlState, 'The session is closed')
    await closeAndAsk('idle connections closed by 4031 (MariaDB: 1927) in the same instant', () => {
      for (const flow of site.proxy.flows) {
        flow.inject('toClient', packet)
        flow.cut('fin')
      }
    })
  },
  LIMIT_MS,
)

test(
  'reads go on while every session is killed once a second',
  async () => {
    site = await openFaultSite(server)
    const clients = site.startClients()
    await sleep(1_000)
    const fromMs = performance.now()
    let killed = 0
    for (let round = 0; round < lasting(20, 5); round += 1) {
      killed += await killSessions(server, server.account.user)
      await sleep(1_000)
    }
    const toMs = performance.now()
    const records = await clients.stop()
    await reportFigures('KILL once a second under reads', server, [
      given('reads', records.length),
      given('sessions killed', killed),
      atMost('failed reads', failedOf(records).length, 0),
      atMost('longest gap without success', longestGapMs(records, fromMs, toMs), 200, 'ms'),
    ])
  },
  LIMIT_MS,
)
