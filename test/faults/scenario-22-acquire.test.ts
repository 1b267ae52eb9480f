import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { AcquireTimeoutError, ConnectRefusedError, DeadlineExceededError } from '../../db/errors.ts'
import { until } from '../support/fault-site.ts'
import { durationOf, openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'
import { changePassword, fill, killSessions } from '../support/server-faults.ts'

let server: PoolServer
let site: PoolSite

beforeAll(async () => {
  server = await startPoolServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

/** Opens a site whose proxy meets connections as `prepare` says, from the first one on. */
async function openUnreachable(prepare: (site: PoolSite) => void, options: ConstructorParameters<typeof PoolSite>[2]) {
  site = await openPoolSite(server, options)
  prepare(site)
}

test('#22 a caller of a full pool is told at its deadline, with what the pool holds', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  const holding = site.read(0.8)
  await site.running('sleep(0.8)')
  const waiting = site.within(300, () => site.read())
  const tookMs = await durationOf(waiting)
  assert.ok(tookMs >= 295 && tookMs <= 330, `${tookMs} ms`)
  await assert.rejects(waiting, (error) => {
    assert.ok(error instanceof AcquireTimeoutError)
    assert.deepEqual(error.stats, { total: 1, idle: 0, acquired: 1, waiting: 0, connecting: 0 })
    return true
  })
  assert.equal(site.countOf('acquireTimeout'), 1)
  await holding
})

test('#23 100 callers of a database that accepts and says nothing are told at their deadline, each', async () => {
  await openUnreachable(({ proxy }) => (proxy.reception = { name: 'mute' }), {
    pool: { size: 16, connectTimeoutMs: 200, acquireTimeoutMs: 5_000 },
  })
  const durations: Promise<number>[] = []
  const waits = Array.from({ length: 100 }, () => {
    const wait = site.within(300, () => site.read())
    durations.push(durationOf(wait))
    return wait
  })
  const tookMs = await Promise.all(durations)
  assert.ok(Math.min(...tookMs) >= 295, `${Math.min(...tookMs)} ms`)
  assert.ok(Math.max(...tookMs) <= 345, `${Math.max(...tookMs)} ms`)
  for (const wait of waits) await assert.rejects(wait, AcquireTimeoutError)
})

/** Counts attempts to connect at their start, which is when the password is asked for. */
function countAttempts() {
  const startedAtMs: number[] = []
  const password = () => {
    startedAtMs.push(performance.now())
    return server.account.password()
  }
  return { startedAtMs, connection: { password } }
}

test('#24 1000 callers of a database that refuses cost a handful of attempts a second', async () => {
  const { startedAtMs, connection } = countAttempts()
  const pool = { size: 40, acquireTimeoutMs: 2_000, connectTimeoutMs: 200 }
  await openUnreachable(({ proxy }) => (proxy.reception = { name: 'cut', end: 'rst' }), { pool, connection })
  const waits = Array.from({ length: 1_000 }, () => site.within(1_900, () => site.read()))
  const tookMs = await Promise.all(waits.map(durationOf))
  assert.ok(Math.max(...tookMs) < 2_100, `${Math.max(...tookMs)} ms`)
  assert.ok(startedAtMs.length >= 4 && startedAtMs.length <= 20, `${startedAtMs.length} attempts`)
  await assert.rejects(
    waits[0] ?? Promise.resolve(),
    (error) => error instanceof AcquireTimeoutError && error.cause !== undefined,
  )
})

/** Eight readers, each over whatever connection it gets, for 1.5 s. */
async function readFor1500ms(): Promise<number> {
  let served = 0
  const endMs = performance.now() + 1_500
  const read = async () => {
    while (performance.now() < endMs) {
      await site
        .within(500, () => site.read())
        .then(() => (served += 1))
        .catch(() => {}) // it is the attempts that count here
    }
  }
  await Promise.all(Array.from({ length: 8 }, read))
  return served
}

test('#24 connections that die before they have served are opened at most ten times a second', async () => {
  const { startedAtMs, connection } = countAttempts()
  site = await openPoolSite(server, { pool: { size: 8 }, connection })
  site.proxy.onFlow = (flow) =>
    flow.watch('toServer', (chunk) => {
      if (chunk.includes('sleep(')) flow.cut('rst')
    })
  assert.equal(await readFor1500ms(), 0)
  assert.ok(startedAtMs.length > 10, `${startedAtMs.length} attempts`)
  // One of them is the control connection, which lives.
  for (const [index, atMs] of startedAtMs.entries()) {
    const later = startedAtMs[index + 11]
    if (later !== undefined) assert.ok(later - atMs >= 995, `the eleventh came after ${later - atMs} ms`)
  }
})

test('#24 connections that serve before they die are opened as often as they are needed', async () => {
  const { startedAtMs, connection } = countAttempts()
  site = await openPoolSite(server, { pool: { size: 8 }, connection })
  const cutting = setInterval(() => site.proxy.cutAll('rst'), 60)
  const served = await readFor1500ms()
  clearInterval(cutting)
  assert.ok(startedAtMs.length > 20, `${startedAtMs.length} attempts`)
  assert.ok(served > 100, `${served} reads`)
})

test('#25 callers who wait for a database that comes back are served soon, in the order they came', async () => {
  await openUnreachable(({ proxy }) => proxy.refuse(), { pool: { size: 1 } })
  const served: number[] = []
  const waits = Array.from({ length: 8 }, async (_, index) => {
    await site.read()
    served.push(index)
  })
  await sleep(700)
  assert.deepEqual(served, [])
  await site.proxy.listen()
  const tookMs = await durationOf(Promise.all(waits))
  assert.ok(tookMs < 500, `${tookMs} ms`)
  assert.deepEqual(served, [0, 1, 2, 3, 4, 5, 6, 7])
  assert.deepEqual(
    site.events.filter(({ name }) => name.startsWith('outage')).map(({ name }) => name),
    ['outageStarted', 'outageEnded'],
  )
})

test('#26 a waiter who leaves is out of the queue at once, and its turn is not used up', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  const holding = site.read(0.4)
  await site.running('sleep(0.4)')
  const gone = new Error('the client has gone')
  const leaving = Array.from({ length: 3 }, () =>
    site.within(5_000, (scope) => {
      setImmediate(() => scope.abort(gone))
      return site.read()
    }),
  )
  const staying = site.read()
  assert.equal(site.dialect.stats.waiting, 4)
  for (const leaver of leaving) await assert.rejects(leaver, (error) => error === gone)
  assert.equal(site.dialect.stats.waiting, 1)
  assert.equal(site.dialect.stats.acquired, 1)
  const id = await holding
  assert.equal(await staying, id)
})

test('#26 a waiter with an AbortSignal of its own is out of the queue at once', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  const holding = site.read(0.4)
  await site.running('sleep(0.4)')
  const leave = new AbortController()
  const leaving = site.db.selectFrom('note').select('id').execute({ signal: leave.signal })
  leaving.catch(() => {})
  await until(() => site.dialect.stats.waiting === 1, 1_000)
  leave.abort(new Error('left'))
  await assert.rejects(leaving, { message: 'left' })
  assert.equal(site.dialect.stats.waiting, 0)
  await holding
})

test('#27 one attempt to connect that hangs does not hold up the others', async () => {
  await openUnreachable(
    ({ proxy }) => {
      proxy.onFlow = (flow) => {
        if (flow.id === 1) flow.forget()
      }
    },
    { pool: { size: 4, connectTimeoutMs: 1_000 } },
  )
  const tookMs = await durationOf(Promise.all([site.read(0.05), site.read(0.05), site.read(0.05)]))
  assert.ok(tookMs < 500, `${tookMs} ms`)
})

test('#27 an attempt to connect whose password never comes ends in time, and the next is made', async () => {
  let asked = 0
  site = await openPoolSite(server, {
    pool: { size: 1, passwordTimeoutMs: 200 },
    connection: {
      password: () => {
        asked += 1
        return asked === 1 ? new Promise<string>(() => {}) : server.account.password()
      },
    },
  })
  const tookMs = await durationOf(site.within(2_000, () => site.read()))
  assert.ok(tookMs >= 195 && tookMs < 1_000, `${tookMs} ms`)
})

const uses = {
  // Waits for a connection that has proved to be alive.
  write: { run: () => site.insert('late'), error: AcquireTimeoutError },
  // Was sent already.
  read: { run: () => site.db.selectFrom('note').select('id').execute(), error: DeadlineExceededError },
}

test.each(['write', 'read'] as const)(
  '#28 the caller of a %s whose connection turns out to be dead keeps its first deadline',
  async (use) => {
    site = await openPoolSite(server, {
      pool: { size: 1, validateAfterIdleMs: 50, validationTimeoutMs: 200, connectTimeoutMs: 200 },
    })
    const flow = await site.openOnly()
    await sleep(60)
    flow.forget()
    site.proxy.reception = { name: 'mute' }
    const { run, error } = uses[use]
    const running = site.within(600, async () => void (await run()))
    const tookMs = await durationOf(running)
    await assert.rejects(running, error)
    assert.ok(tookMs >= 595 && tookMs <= 640, `${tookMs} ms`)
  },
)

test('#29 a wrong password fails every waiter at once, and costs few attempts', async () => {
  site = await openPoolSite(server, {
    pool: { size: 8 },
    connection: { password: () => Promise.resolve('wrong') },
  })
  const waits = Array.from({ length: 50 }, () => site.read())
  const tookMs = await Promise.all(waits.map(durationOf))
  assert.ok(Math.max(...tookMs) < 500, `${Math.max(...tookMs)} ms`)
  for (const wait of waits) {
    await assert.rejects(wait, (error) => {
      assert.ok(error instanceof ConnectRefusedError)
      assert.equal((error.cause as { errno?: number }).errno, 1045)
      return true
    })
  }
  // Later ones are refused on arrival, while it is tried on.
  const later = site.read()
  assert.ok((await durationOf(later)) < 20)
  await assert.rejects(later, ConnectRefusedError)
  assert.ok(site.proxy.acceptedAtMs.length <= 10, `${site.proxy.acceptedAtMs.length} attempts`)
})

test('#30 a full server: callers are served with the connections that are open, and few more are tried', async () => {
  site = await openPoolSite(server, { pool: { size: 8 } })
  await site.fillIdle(2)
  const full = await fill(server, server.app)
  try {
    site.proxy.resetCounts()
    const startedAtMs = performance.now()
    // Up to six at a time for two connections.
    while (performance.now() - startedAtMs < 1_000) {
      const ids = await Promise.all(Array.from({ length: 6 }, () => site.within(3_000, () => site.read(0.01))))
      assert.ok(new Set(ids).size <= 2)
    }
    assert.ok(site.proxy.acceptedAtMs.length <= 11, `${site.proxy.acceptedAtMs.length} attempts`)
    assert.ok(site.proxy.acceptedAtMs.length >= 2)
  } finally {
    await full.lift()
  }
  const served = async () => new Set(await Promise.all(Array.from({ length: 6 }, () => site.read(0.05)))).size > 2
  assert.ok((await until(served, 1_500)) < 1_500, 'more connections once there is room')
  assert.deepEqual(site.evictions, [])
})

test('#31 a rotated password: the provider is asked once more, and its caller sees nothing', async () => {
  let asked = 0
  site = await openPoolSite(server, {
    pool: { size: 1, minIdle: 0 },
    connection: {
      password: async () => {
        asked += 1
        return asked === 1 ? 'the old one' : await server.account.password()
      },
    },
  })
  const reading = site.read()
  const tookMs = await durationOf(reading)
  assert.ok((await reading) > 0)
  assert.ok(tookMs < 600, `${tookMs} ms`)
  await site.openOnly()
  // Refused and asked whether it has changed; the next attempt; the control connection.
  assert.equal(asked, 4)
  assert.equal(site.proxy.acceptedAtMs.length, 3)
})

test('#31 a changed password: open connections serve on; then it is permanent, and mended by the next provider', async () => {
  let password = await server.account.password()
  site = await openPoolSite(server, {
    pool: { size: 2, minIdle: 0 },
    connection: { password: () => Promise.resolve(password) },
  })
  const id = (await site.fillIdle(1))[0]
  await site.openOnly()
  const changed = await changePassword(server, server.account)
  try {
    const [first, second] = await Promise.all([site.read(0.05), site.read()])
    assert.deepEqual([first, second], [id, id])
    await killSessions(server, server.account.user)
    await site.settled({ total: 0 })
    await assert.rejects(
      site.within(2_000, () => site.read()),
      ConnectRefusedError,
    )
    password = `${password}-changed`
    assert.ok(
      (await until(
        () =>
          site.read().then(
            () => true,
            () => false,
          ),
        1_500,
      )) < 1_500,
    )
  } finally {
    await changed.lift()
  }
})
