import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, test } from 'vitest'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer, until } from '../support/fault-site.ts'
import { faultsRun, lasting } from '../support/faults-run.ts'
import { atLeast, atMost, type Figure, given, reportFigures } from '../support/figures.ts'
import { type Kubelet, type ProbeRecord, startKubelet } from '../support/kubelet.ts'
import { readServer } from '../support/manifests.ts'
import { type MountedPassword, mountPassword } from '../support/mounted-password.ts'
import { failedOf } from '../support/request-figures.ts'
import { fill, killSessions, type LastingFault, lockTable } from '../support/server-faults.ts'

const LIMIT_MS = 120_000
const { container } = readServer()
const { periodSeconds, timeoutSeconds } = container.readinessProbe
/** The service shares a report for 1 s; a longer period still tells one moment from the next. */
const shortPeriodMs = 1_250
const periodMs = lasting(periodSeconds * 1000, shortPeriodMs)
/** A report from just before is shared for 1 s, and an answer may take as long as the manifest lets it. */
const SLACK_MS = 1_000 + timeoutSeconds * 1000

let server: FaultServer
let site: FaultSite
let kubelet: Kubelet
let password: MountedPassword

beforeAll(async () => {
  server = await startFaultServer()
  password = await mountPassword(server)
  site = await openFaultSite(server, { passwordFile: password.path, environment: { POOL_SIZE: '4' } })
  const { url } = site.service
  // One for all of it: what an outage leaves behind is the next one's to find.
  kubelet = startKubelet({ url, container, periodMs: faultsRun.isFull ? undefined : shortPeriodMs })
  site.startClients({ count: 4, pauseMs: 20 })
})
afterAll(async () => {
  await kubelet.stop()
  await site.dispose()
  await password.dispose()
  await server.dispose()
})

/** What is asserted of every fault: a restart would mend none. */
function commonFigures(records: readonly ProbeRecord[]): Figure[] {
  const slowest = Math.max(...records.map(({ startMs, endMs }) => endMs - startMs))
  return [
    given('probes', records.length),
    given('slowest probe', slowest, 'ms'),
    atMost('liveness failures', records.filter(({ name, isOk }) => name === 'liveness' && !isOk).length, 0),
    atMost('restarts', kubelet.restarts, 0),
  ]
}

const becomesReady = (isReady: boolean) => until(() => kubelet.isReady === isReady, 4 * periodMs + 10_000)

/** The database is away for all: no traffic while it is, and traffic when it is back. */
async function outage(scenario: string, start: () => Promise<LastingFault>): Promise<void> {
  await becomesReady(true)
  const from = kubelet.records.length
  const fault = await start()
  const unreadyMs = await becomesReady(false)
  await fault.lift()
  const readyMs = await becomesReady(true)
  await reportFigures(`kubelet: ${scenario}`, server, [
    ...commonFigures(kubelet.records.slice(from)),
    atMost('not ready after', unreadyMs, 2 * periodMs + SLACK_MS, 'ms'),
    atMost('ready after its end', readyMs, periodMs + 1_500 + SLACK_MS, 'ms'),
  ])
}

/** The database is there: taking replicas out of traffic would make it worse. `failed` counts requests that were not served. */
async function strain(scenario: string, start: () => Promise<LastingFault & { failed: () => number }>): Promise<void> {
  await becomesReady(true)
  const from = kubelet.records.length
  const fault = await start()
  await sleep(3 * periodMs)
  // Requests that wait for the lock are answered at their deadline.
  await until(() => fault.failed() > 0, 10_000)
  const records = kubelet.records.slice(from)
  const { isReady } = kubelet
  await fault.lift()
  await reportFigures(`kubelet: ${scenario}`, server, [
    ...commonFigures(records),
    atLeast('requests that were not served', fault.failed(), 1),
    atMost('readiness probes that failed', records.filter(({ isOk }) => !isOk).length, 1),
    atMost('taken out of traffic', isReady ? 0 : 1, 0),
  ])
}

const killed = async () => {
  await server.kill()
  return { lift: server.start }
}
test('server killed', () => outage('server killed', killed), LIMIT_MS)

const frozen = async () => {
  await server.freeze()
  return { lift: server.thaw }
}
test('server frozen', () => outage('server frozen', frozen), LIMIT_MS)

/** Nobody is told anything: neither those who are connected nor those who connect. */
const blackHoled = async () => {
  site.proxy.reception = { name: 'mute' }
  site.proxy.forgetAll()
  return liftMute
}
test('network black-holed', () => outage('network black-holed', blackHoled), LIMIT_MS)

/** A port that accepts and never greets: a server that hangs, or the wrong one. */
const mute = async () => {
  site.proxy.reception = { name: 'mute' }
  site.proxy.cutAll('rst')
  return liftMute
}
const liftMute: LastingFault = {
  lift: async () => {
    site.proxy.reception = { name: 'forward' }
  },
}
test('server mute', () => outage('server mute', mute), LIMIT_MS)

/** Full of others: open connections are taken away first, since the pool would go on with those. */
const full = async () => {
  site.proxy.refuse()
  site.proxy.cutAll('rst')
  await killSessions(server, server.account.user)
  const fault = await fill(server, server.app)
  await site.proxy.listen()
  return fault
}
test('server full (1040)', () => outage('server full (1040)', full), LIMIT_MS)

const passwordChanged = async () => {
  const fault = await password.change()
  await killSessions(server, server.account.user)
  return fault
}
test('password changed (1045)', () => outage('password changed (1045)', passwordChanged), LIMIT_MS)

const locked = async () => {
  const clients = site.startClients({ count: 4 })
  const fault = await lockTable(server, `${server.account.database}.city`)
  return { ...fault, failed: () => failedOf(clients.records).length }
}
test('table locked', () => strain('table locked', locked), LIMIT_MS)

/** Each statement takes 100 ms, so that four connections serve 40 requests a second: 300 clients want more. */
const overloaded = async () => {
  site.proxy.delayMs = 50
  site.proxy.cutAll('fin')
  const clients = site.startClients({ count: 300 })
  const lift = async () => {
    site.proxy.delayMs = 0
    await clients.leave()
  }
  return { lift, failed: () => failedOf(clients.records).length }
}
test('more requests than the pool can serve', () => strain('overload', overloaded), LIMIT_MS)
