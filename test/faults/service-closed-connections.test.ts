import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { createWaveSender, type RequestRecord } from '../support/clients.ts'
import { errorPacket } from '../support/fault-proxy-flow.ts'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { atMost, given, reportFigures } from '../support/figures.ts'
import { failedOf, firstSuccessAfterMs, longestGapMs, percentileMs } from '../support/request-figures.ts'
import { killSessions, setWaitTimeout } from '../support/server-faults.ts'

const LIMIT_MS = 60_000

let server: FaultServer
let site: FaultSite

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

interface Wave {
  readonly closedAtMs: number
  readonly records: readonly RequestRecord[]
}

async function reportWaves(scenario: string, waves: readonly Wave[]): Promise<void> {
  const records = waves.flatMap((wave) => wave.records)
  const gapsMs = waves.map((wave) => firstSuccessAfterMs(wave.records, wave.closedAtMs))
  await reportFigures(scenario, server, [
    given('reads', records.length),
    atMost('failed reads', failedOf(records).length, 0),
    atMost('longest gap without success', Math.max(...gapsMs), 200, 'ms'),
  ])
}

/** Breaks every connection, a moment before or after it is used, over and over. */
async function closeAndAsk(scenario: string, close: () => void): Promise<void> {
  site = await openFaultSite(server)
  const sender = createWaveSender({ url: site.service.url })
  await sender.send()
  const waves: Wave[] = []
  for (let round = 0; round < lasting(30, 4); round += 1) {
    await sleep(900 + Math.random() * 100)
    const answers = sender.send()
    // From before the requests arrive until their statements run.
    await sleep(Math.random() * 6)
    const closedAtMs = performance.now()
    close()
    waves.push({ closedAtMs, records: [...(await answers), ...(await sender.send())] })
  }
  sender.close()
  await reportWaves(scenario, waves)
}

test(
  'reads go on while the server closes idle connections by wait_timeout',
  async () => {
    const fault = await setWaitTimeout(server, 1)
    try {
      site = await openFaultSite(server)
      const sender = createWaveSender({ url: site.service.url })
      const waves: Wave[] = []
      await sender.send(32)
      for (let round = 0; round < lasting(20, 3); round += 1) {
        await sleep(950 + Math.random() * 100)
        waves.push({ closedAtMs: performance.now(), records: await sender.send(32) })
      }
      sender.close()
      await reportWaves('idle connections closed by wait_timeout, reads in the same instant', waves)
    } finally {
      await fault.lift()
    }
  },
  LIMIT_MS,
)

test(
  'reads asked in the same instant as a FIN succeed',
  () => closeAndAsk('connections closed by FIN, reads in the same instant', () => site.proxy.cutAll('fin')),
  LIMIT_MS,
)

test(
  'reads asked in the same instant as an RST succeed',
  () => closeAndAsk('connections closed by RST, reads in the same instant', () => site.proxy.cutAll('rst')),
  LIMIT_MS,
)

test(
  'reads asked in the same instant as the error packet of a closed session succeed',
  async () => {
    const [errno, sqlState] = server.flavour === 'mysql' ? ([4031, 'HY000'] as const) : ([1927, '70100'] as const)
    const packet = errorPacket(errno, sqlState, 'The session is closed')
    await closeAndAsk('connections closed by 4031 (MariaDB: 1927), reads in the same instant', () => {
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
    for (let round = 0; round < lasting(20, 3); round += 1) {
      killed += await killSessions(server, server.account.user)
      await sleep(1_000)
    }
    const toMs = performance.now()
    const records = await clients.stop()
    await reportFigures('KILL once a second under reads', server, [
      given('reads', records.length),
      given('sessions killed', killed),
      given('99 of 100 reads within', percentileMs(records, 0.99), 'ms'),
      atMost('failed reads', failedOf(records).length, 0),
      atMost('longest gap without success', longestGapMs(records, fromMs, toMs), 200, 'ms'),
    ])
  },
  LIMIT_MS,
)
