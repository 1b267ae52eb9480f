import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, test } from 'vitest'
import { createCityWriter, tallyWrites, WRITE_TOKEN } from '../support/city-writer.ts'
import { type FaultServer, openFaultSite, startFaultServer } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { atLeast, atMost, given, reportFigures } from '../support/figures.ts'
import { createRandom, type SeededRandom } from '../support/random.ts'
import { slowestMs } from '../support/request-figures.ts'
import { listSessions, queryAsAdmin } from '../support/server-faults.ts'

const seed = Number(process.env['WRITES_SEED'] ?? Date.now() % 2 ** 31)

let server: FaultServer

beforeAll(async () => {
  console.info(`[writes] WRITES_SEED=${seed}`)
  server = await startFaultServer()
})
afterAll(() => server.dispose())

/** Whatever it is doing: waiting for a statement, in one, or in COMMIT. */
async function killOneSession(random: SeededRandom): Promise<void> {
  const sessions = await listSessions(server, server.account.user)
  const victim = sessions[random.integer(0, sessions.length - 1)]
  // It may have ended meanwhile: a proxy's cuts end sessions too.
  if (victim) await queryAsAdmin(server, `KILL ${victim.id}`).catch(() => {})
}

test('writes under KILL twice a second and cuts at random bytes are there once, or honestly unknown', async () => {
  const random = createRandom(seed)
  const site = await openFaultSite(server, { environment: { WRITE_TOKENS: WRITE_TOKEN } })
  try {
    site.proxy.onFlow = (flow) => {
      const direction = random.next() < 0.5 ? 'toClient' : 'toServer'
      flow.cutAfter({ direction, bytes: random.integer(2_000, 40_000), end: random.next() < 0.5 ? 'fin' : 'rst' })
    }
    site.proxy.cutAll('rst') // those that were open before the cuts were ordered
    const clients = site.startClients({ exchange: createCityWriter() })
    const endMs = performance.now() + lasting(20_000, 6_000)
    while (performance.now() < endMs) {
      await sleep(500)
      await killOneSession(random)
    }
    const writes = await clients.stop()
    const tally = await tallyWrites(server, writes)
    await reportFigures('writes under KILL twice a second and cuts at random bytes', server, [
      given('writes', writes.length),
      atLeast('acknowledged', (100 * tally.acknowledged) / writes.length, 99.5, '%'),
      atMost('lost', tally.lost, 0),
      atMost('duplicated', tally.duplicated, 0),
      given('of those not acknowledged in the table', tally.unacknowledgedButThere),
      atMost('slowest', slowestMs(writes), 5_200, 'ms'),
    ])
  } finally {
    await site.dispose()
  }
}, 60_000)
