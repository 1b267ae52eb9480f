import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import {
  type FaultServer,
  type FaultSite,
  type FaultSiteOptions,
  openFaultSite,
  startFaultServer,
  until,
} from '../support/fault-site.ts'
import { faultsRun, lasting } from '../support/faults-run.ts'
import { atMost, given, reportFigures } from '../support/figures.ts'
import { mountPassword } from '../support/mounted-password.ts'
import { type ProbeAnswer, probe, startProbes } from '../support/probes.ts'
import { fill, killSessions, type LastingFault, lockTable, setReadOnly } from '../support/server-faults.ts'

const LIMIT_MS = 90_000
const paths = ['/livez', '/readyz', '/healthz'] as const

let server: FaultServer
let sites: FaultSite[] = []

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())
afterEach(async () => {
  await Promise.all(sites.map((site) => site.dispose()))
  sites = []
})

async function open(options: FaultSiteOptions = {}): Promise<FaultSite> {
  const site = await openFaultSite(server, options)
  sites.push(site)
  return site
}

/** Open connections end, and new ones meet what `start` makes of the server. */
async function cutAnd({ proxy }: FaultSite, start: () => Promise<LastingFault>): Promise<LastingFault> {
  proxy.refuse()
  proxy.cutAll('fin')
  const fault = await start()
  await proxy.listen()
  return fault
}

async function mute({ proxy }: FaultSite): Promise<LastingFault> {
  proxy.reception = { name: 'mute' }
  return {
    lift: async () => {
      proxy.reception = { name: 'forward' }
    },
  }
}

type Outages = Readonly<Record<string, (site: FaultSite) => Promise<LastingFault>>>

/** Of the way to the server: several at a time. */
const networkOutages: Outages = {
  'black hole': async (site) => {
    site.proxy.forgetAll()
    return await mute(site)
  },
  ...(faultsRun.isFull && { mute: (site: FaultSite) => cutAnd(site, () => mute(site)) }),
  refused: async ({ proxy }) => {
    proxy.refuse()
    proxy.cutAll('rst')
    return { lift: () => proxy.listen() }
  },
}

/** Of the server, which all share: one at a time. */
const serverOutages: Outages = {
  frozen: async () => {
    await server.freeze()
    return { lift: server.thaw }
  },
  full: (site) => cutAnd(site, () => fill(server, server.app)),
}

function slowestOf(answers: readonly ProbeAnswer[], path: string): number {
  return Math.max(0, ...answers.filter((answer) => answer.path === path).map(({ tookMs }) => tookMs))
}

const isReady = async (url: string) => (await probe(url, '/readyz')).status === 200

async function suffer(name: string, begin: (site: FaultSite) => Promise<LastingFault>, site: FaultSite): Promise<void> {
  const { url } = site.service
  assert.ok((await until(() => isReady(url), 5_000)) < 5_000, `ready before: ${name}`)
  await Promise.all(Array.from({ length: 4 }, () => fetch(`${url}/cities`))) // some connections to lose
  const probes = startProbes(url, paths)
  const fault = await begin(site)
  const beganAtMs = performance.now()
  const isUnready = () => probes.answers.some(({ path, status }) => path === '/readyz' && status === 503)
  const unreadyAfterMs = await until(isUnready, 5_000)
  await sleep(lasting(10_000, 300))
  const answers = await probes.stop()
  await fault.lift()
  await sleep(1_500)
  const first = await probe(url, '/readyz')
  await reportFigures(`probes: ${name}`, server, [
    given('outage', performance.now() - beganAtMs - 1_500, 'ms'),
    given('answers', answers.length),
    atMost('liveness failures', answers.filter(({ path, status }) => path === '/livez' && status !== 200).length, 0),
    atMost('unanswered', answers.filter(({ status }) => status === 0).length, 0),
    ...paths.map((path) => atMost(`slowest ${path}`, slowestOf(answers, path), lasting(1_000, 2_500), 'ms')),
    atMost('not ready after', unreadyAfterMs, 4_000, 'ms'),
    atMost('status of the first /readyz 1.5 s after', first.status, 200),
  ])
  for (const { body } of answers) assert.doesNotMatch(body, /127\.0\.0\.1|stillherefaults|denied|connect /)
}

test(
  'whatever the network does, probes are answered in time; liveness stays, readiness goes and comes back',
  async () => {
    await Promise.all(Object.entries(networkOutages).map(async ([name, begin]) => suffer(name, begin, await open())))
  },
  LIMIT_MS,
)

test(
  'whatever the server does, probes are answered in time; liveness stays, readiness goes and comes back',
  async () => {
    const password = await mountPassword(server)
    try {
      const site = await open({ passwordFile: password.path })
      for (const [name, begin] of Object.entries(serverOutages)) await suffer(name, begin, site)
      await suffer('wrong password', () => cutAnd(site, password.change), site)
    } finally {
      await password.dispose()
    }
  },
  LIMIT_MS,
)

test(
  'probes take no connection from users, wait for none, and say what they found',
  async () => {
    const site = await open({ environment: { POOL_SIZE: '2' } })
    const { url } = site.service
    assert.ok((await until(() => isReady(url), 5_000)) < 5_000)
    const lock = await lockTable(server, `${server.account.database}.city`)
    const requests = Promise.all(Array.from({ length: 4 }, () => fetch(`${url}/cities`)))
    const isSaturated = async () => /0 checked.*\n.*2 acquired.*2 waiting/.test((await probe(url, '/healthz')).body)
    assert.ok((await until(isSaturated, 4_000)) < 4_000)
    const saturated = await probe(url, '/readyz')
    assert.equal(saturated.status, 200, saturated.body)
    assert.ok(saturated.tookMs < 1_000)
    await lock.lift()
    assert.deepEqual(
      (await requests).map(({ status }) => status),
      [200, 200, 200, 200],
    )

    await sleep(1_100) // reports are shared for 1 s
    await killSessions(server, server.account.user)
    // Gone before the report, or found dead by it; either way replaced.
    const isPassing = async () => /[12] checked, [12] alive, 0 evicted/.test((await probe(url, '/healthz')).body)
    assert.ok((await until(isPassing, 5_000)) < 5_000)
    const readOnly = await setReadOnly(server)
    const isWarning = async () => /warnings: readOnly$/.test((await probe(url, '/healthz')).body)
    assert.ok((await until(isWarning, 5_000)) < 5_000)
    assert.equal((await probe(url, '/healthz')).status, 200)
    await readOnly.lift()
  },
  LIMIT_MS,
)
