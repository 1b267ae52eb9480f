import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import type { Flow } from '../support/fault-proxy-flow.ts'
import { until } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { durationOf, openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'
import { setWaitTimeout } from '../support/server-faults.ts'

let server: PoolServer
let site: PoolSite

beforeAll(async () => {
  server = await startPoolServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

test('#39 connections past their lifetime are replaced first and never interrupted', async () => {
  const pool = { size: 3, minIdle: 2, keepaliveMs: 100, idleTimeoutMs: 400, maxLifetimeMs: 400 }
  site = await openPoolSite(server, { pool })
  await site.fillIdle(2)
  let fewest = Number.POSITIVE_INFINITY
  const watch = setInterval(() => {
    fewest = Math.min(fewest, site.dialect.stats.total)
  }, 5)
  try {
    const first = await site.read()
    assert.equal(await site.read(1.2), first) // three lifetimes long
    assert.ok(site.countOf('opened') >= 4)
    await site.settled({ acquired: 0 })
    assert.ok((await until(async () => (await site.sessions()).every(({ id }) => id !== first), 1_500)) < 1_500)
  } finally {
    clearInterval(watch)
  }
  assert.ok(fewest >= 2, `${fewest} connections`)
  assert.ok(site.evictions.includes('maxLifetime'))
  assert.ok(site.evictions.every((reason) => reason === 'maxLifetime' || reason === 'idleTimeout'))
})

test('#42 a pool that is used less often than the server allows keeps its connection', async () => {
  const fault = await setWaitTimeout(server, 1)
  try {
    site = await openPoolSite(server, { pool: { size: 1 } })
    const id = await site.read()
    for (let round = 0; round < lasting(20, 2); round += 1) {
      await sleep(1_400)
      assert.equal(await site.read(), id)
    }
  } finally {
    await fault.lift()
  }
  assert.deepEqual(site.evictions, [])
  assert.equal(site.countOf('opened'), 2) // with the control connection, which must live as well
})

test('#43 keepalive below the patience of the network keeps every connection alive', async () => {
  site = await openPoolSite(server, { pool: { size: 2, minIdle: 2, keepaliveMs: 200 } })
  await site.fillIdle(2)
  // A network that forgets whatever said nothing for 600 ms; upkeep looks every 250.
  const seen = new Map<Flow, { bytes: number; atMs: number }>()
  const network = setInterval(() => {
    for (const flow of site.proxy.flows) {
      const bytes = flow.bytes.toServer + flow.bytes.toClient
      const last = seen.get(flow)
      if (last?.bytes !== bytes) seen.set(flow, { bytes, atMs: performance.now() })
      else if (performance.now() - last.atMs > 600) flow.forget()
    }
  }, 20)
  try {
    await sleep(2_000)
    assert.ok((await durationOf(Promise.all([site.read(), site.read()]))) < 100)
  } finally {
    clearInterval(network)
  }
  assert.deepEqual(site.evictions, [])
  assert.equal(site.proxy.flows.filter(({ isForgotten }) => isForgotten).length, 0)
})

test('#43 idle connections that the network forgot are found by keepalive, before a caller needs them', async () => {
  site = await openPoolSite(server, { pool: { size: 2, minIdle: 2, keepaliveMs: 200 } })
  await site.fillIdle(2)
  site.proxy.forgetAll()
  assert.ok((await until(() => site.evictions.length === 2, 2_000)) < 2_000)
  await site.settled({ idle: 2 })
  assert.ok((await durationOf(Promise.all([site.read(), site.read()]))) < 100)
  assert.deepEqual(site.evictions, ['validationFailed', 'validationFailed'])
})
