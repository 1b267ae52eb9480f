import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { atMost, type Figure, given, reportFigures } from '../support/figures.ts'
import { mountPassword } from '../support/mounted-password.ts'
import { firstSuccessAfterMs, mostPerSecond, slowestMs, unansweredOf } from '../support/request-figures.ts'
import { fill, type LastingFault } from '../support/server-faults.ts'

const LIMIT_MS = 60_000

let server: FaultServer
let site: FaultSite

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

interface Refusal {
  readonly scenario: string
  /** Begins it; when it returns, connections can be tried again. */
  readonly start: () => Promise<LastingFault>
  readonly firstSuccessWithinMs: number
  readonly mostAttempts?: number
  readonly passwordFile?: string
}

/** Every connection goes, and whoever comes then is refused for 6 s or more: longer than any request may wait. */
async function refuseAll(refusal: Refusal): Promise<void> {
  const { scenario, start, firstSuccessWithinMs, mostAttempts = 10, passwordFile } = refusal
  site = await openFaultSite(server, { ...(passwordFile !== undefined && { passwordFile }) })
  const clients = site.startClients()
  await sleep(1_500)
  site.proxy.refuse()
  site.proxy.cutAll('fin')
  const fault = await start()
  site.proxy.resetCounts()
  await site.proxy.listen()
  await sleep(lasting(10_000, 3_000))
  await fault.lift()
  const overAtMs = performance.now()
  const attempts = [...site.proxy.acceptedAtMs]
  await sleep(2_500)
  const records = await clients.stop()
  const figures: readonly Figure[] = [
    given('requests', records.length),
    given('attempts to connect', attempts.length),
    atMost('attempts in any second', mostPerSecond(attempts), mostAttempts),
    atMost('unanswered', unansweredOf(records).length, 0),
    atMost('slowest', slowestMs(records), 5_200, 'ms'),
    atMost('first success after', firstSuccessAfterMs(records, overAtMs), firstSuccessWithinMs, 'ms'),
  ]
  await reportFigures(scenario, server, figures)
}

test(
  'a full server (1040) is asked at most ten times a second',
  () =>
    refuseAll({
      scenario: 'server full (1040)',
      start: () => fill(server, server.app),
      firstSuccessWithinMs: 1_000,
    }),
  LIMIT_MS,
)

test(
  'a changed password (1045) is hardly tried, since accounts are locked, and the next one at once',
  async () => {
    const password = await mountPassword(server)
    try {
      await refuseAll({
        scenario: 'password changed (1045)',
        start: password.change,
        passwordFile: password.path,
        mostAttempts: 2,
        firstSuccessWithinMs: 1_000,
      })
    } finally {
      await password.dispose()
    }
  },
  LIMIT_MS,
)

test(
  'connections that are accepted and stay mute hold nobody up',
  () =>
    refuseAll({
      scenario: 'new connections accepted but mute',
      start: async () => {
        site.proxy.reception = { name: 'mute' }
        return {
          lift: async () => {
            site.proxy.reception = { name: 'forward' }
          },
        }
      },
      firstSuccessWithinMs: 1_100,
    }),
  LIMIT_MS,
)
