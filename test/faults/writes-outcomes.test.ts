import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import type { Flow } from '../support/fault-proxy-flow.ts'
import { until } from '../support/fault-site.ts'
import { asAdmin, listSessions, openPlainConnection, queryAsAdmin, setReadOnly } from '../support/server-faults.ts'
import { type ProxiedService, startProxiedService, startWriteServer, type WriteServer } from '../support/write-site.ts'

let server: WriteServer
let service: ProxiedService
/** What the proxy does with the first packet to the server whose statement begins with `text`. */
let trap: { readonly text: string; readonly spring: (flow: Flow) => void } | undefined
/** Whether KILLs reach the server. */
let isKillable: boolean

/** Where a statement begins in its packet: behind length, number and command, and on MySQL the empty list of attributes. */
const STATEMENT_AT = [5, 7]

beforeAll(async () => {
  server = await startWriteServer()
})
afterAll(() => server.dispose())
afterEach(async () => {
  trap = undefined
  await service.close()
})

async function openService(): Promise<void> {
  isKillable = true
  service = await startProxiedService(server.schema)
  service.proxy.onFlow = (flow) =>
    flow.watch('toServer', (chunk) => {
      if (!isKillable && chunk.includes('KILL ')) flow.forget()
      // A session's own set-up has words such as `autocommit`, too.
      if (!trap || !STATEMENT_AT.includes(chunk.indexOf(trap.text))) return
      const { spring } = trap
      trap = undefined
      spring(flow)
    })
}

/** Resolves with the flow whose next statement begins with `text`: it is held back there. */
function heldBefore(text: string): Promise<Flow> {
  return new Promise((resolve) => {
    trap = {
      text,
      spring: (flow) => {
        flow.stall('toServer')
        resolve(flow)
      },
    }
  })
}

async function post(city: string, headers: Record<string, string> = {}, countryId = 44): Promise<Response> {
  return await service.app.request('/cities', {
    method: 'POST',
    headers: { Authorization: `Bearer ${service.token}`, 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ city, countryId }),
  })
}

/** The ids of the rows of this name, past the proxy. */
async function idsOf(city: string): Promise<readonly number[]> {
  const rows = await queryAsAdmin(
    server,
    `SELECT city_id AS id FROM ${server.schema.app.database}.city WHERE city = '${city}'`,
  )
  return rows.map((row) => Number(row['id']))
}

/** The answer is 201 with the only row of this name. */
async function assertWritten(answer: Response, city: string): Promise<void> {
  const { cityId } = (await answer.clone().json()) as { cityId: number }
  assert.equal(answer.status, 201, await answer.text())
  assert.deepEqual(await idsOf(city), [cityId])
}

const LOCK_WAITS = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"

/** Waits until a claim waits for the lock of a transaction that has not ended. */
async function claimWaits(): Promise<void> {
  const isWaiting = async () => {
    await sleep(150) // MariaDB shows what it showed before to whoever asks more often
    return (await queryAsAdmin(server, LOCK_WAITS)).length > 0
  }
  assert.ok((await until(isWaiting, 3_000)) < 3_000, 'a claim waits')
}

const unknown = { type: 'urn:still-here:outcome-unknown', title: 'Outcome unknown: repeat with this Idempotency-Key' }

/** The answer says that the outcome is unknown, and the key that it returns leads to the truth. */
async function assertOpen(answer: Response, status: number): Promise<string> {
  const { type, title, detail } = (await answer.json()) as Record<string, string>
  assert.deepEqual([answer.status, { type, title }], [status, unknown])
  assert.match(detail ?? '', /Whether the change took effect is unknown\.$/)
  const key = answer.headers.get('Idempotency-Key')
  assert.ok(key)
  return key
}

test('a COMMIT that took effect, and whose answer is lost, is answered with its row', async () => {
  await openService()
  const held = heldBefore('commit')
  const answer = post('Applied')
  const flow = await held
  flow.stall('toClient')
  flow.resume()
  flow.stall('toClient')
  assert.ok((await until(async () => (await idsOf('Applied')).length === 1, 3_000)) < 3_000)
  flow.cutClient()
  await assertWritten(await answer, 'Applied')
  assert.equal((await answer).headers.get('Idempotency-Replayed'), null)
})

test('a COMMIT that never arrived is replaced by one that does', async () => {
  await openService()
  const held = heldBefore('commit')
  const answer = post('Dropped')
  ;(await held).cut('rst')
  await assertWritten(await answer, 'Dropped')
})

test('a COMMIT that arrives after the write was done anew changes nothing', async () => {
  await openService()
  const held = heldBefore('commit')
  const answer = post('Delayed')
  const flow = await held
  flow.cutClient()
  await assertWritten(await answer, 'Delayed')
  flow.resume()
  const isEnded = async () =>
    (await listSessions(server, server.schema.app.user)).every(({ host }) => !host.endsWith(`:${flow.serverSidePort}`))
  assert.ok((await until(isEnded, 3_000)) < 3_000)
  assert.equal((await idsOf('Delayed')).length, 1)
})

test('while the old session may still commit, and cannot be killed, the claim waits; its COMMIT wins', async () => {
  await openService()
  isKillable = false
  const held = heldBefore('commit')
  const answer = post('Late winner')
  const flow = await held
  flow.cutClient()
  await claimWaits()
  assert.deepEqual(await idsOf('Late winner'), [])
  flow.resume() // the COMMIT arrives at last
  await assertWritten(await answer, 'Late winner')
})

test('an old path that is black-holed, and cannot be killed, leaves the outcome open until it is gone', async () => {
  await openService()
  isKillable = false
  const held = heldBefore('commit')
  const startedAtMs = performance.now()
  const answer = post('Black hole', { 'Request-Timeout': '2.5' })
  const flow = await held
  flow.forget()
  const key = await assertOpen(await answer, 504)
  assert.ok(performance.now() - startedAtMs >= 2_400)
  const repeated = await post('Black hole', { 'Idempotency-Key': key, 'Request-Timeout': '4' })
  assert.equal(repeated.status, 409) // still nobody can know
  assert.deepEqual(await idsOf('Black hole'), [])
  await service.proxy.dispose() // the old path's server hears of its end
  await service.proxy.listen()
  await assertWritten(await post('Black hole', { 'Idempotency-Key': key }), 'Black hole')
})

test('an old path that is black-holed is left in time: its session is killed, and the write is done', async () => {
  await openService()
  const held = heldBefore('commit')
  const answer = post('Left behind')
  ;(await held).forget()
  await assertWritten(await answer, 'Left behind')
})

test('a statement that still runs on the lost connection is stopped, and its transaction with it', async () => {
  await openService()
  const blocker = await openPlainConnection({ ...server.admin, database: server.schema.app.database })
  try {
    await blocker.beginTransaction()
    await blocker.query('SELECT * FROM country WHERE country_id = 44 FOR UPDATE')
    const held = heldBefore('insert into `city`')
    const answer = post('Still running')
    const flow = await held
    flow.resume()
    await claimWaits()
    flow.cutClient()
    const isStopped = async () =>
      (await listSessions(server, server.schema.app.user)).every(
        ({ host }) => !host.endsWith(`:${flow.serverSidePort}`),
      )
    assert.ok((await until(isStopped, 3_000)) < 3_000)
    await blocker.rollback()
    await assertWritten(await answer, 'Still running')
  } finally {
    blocker.destroy()
  }
})

test('a COMMIT that the server itself takes long over is waited for: nobody does the write beside it', async () => {
  await openService()
  const held = heldBefore('commit')
  const answer = post('Slow end')
  const flow = await held
  await asAdmin(server, async (admin) => {
    await admin.query('FLUSH TABLES WITH READ LOCK') // COMMIT waits for it on both servers
    isKillable = false
    flow.resume()
    const isCommitting = async () =>
      (await listSessions(server, server.schema.app.user)).some(({ info }) => info?.toLowerCase() === 'commit')
    assert.ok((await until(isCommitting, 3_000)) < 3_000)
    flow.cutClient()
    assert.deepEqual(await idsOf('Slow end'), [])
    await admin.query('UNLOCK TABLES')
  })
  await assertWritten(await answer, 'Slow end')
})

test('when the database stays away until the deadline the outcome is open, and the key leads to the truth', async () => {
  await openService()
  for (const isApplied of [true, false]) {
    const city = `Away ${isApplied}`
    const held = heldBefore('commit')
    const answer = post(city, { 'Request-Timeout': '1.2' })
    const flow = await held
    if (isApplied) {
      flow.stall('toClient')
      flow.resume()
      flow.stall('toClient')
      assert.ok((await until(async () => (await idsOf(city)).length === 1, 1_000)) < 1_000)
    }
    service.proxy.refuse()
    service.proxy.cutAll('rst')
    const key = await assertOpen(await answer, 503)
    await service.proxy.listen()
    const again = await post(city, { 'Idempotency-Key': key })
    assert.equal(again.headers.get('Idempotency-Replayed'), isApplied ? 'true' : null)
    await assertWritten(again, city)
  }
})

test('a server that freezes in COMMIT is 504 and the outcome open; before it, nothing was changed', async () => {
  await openService()
  const startFrozen = async (city: string, before: string) => {
    const held = heldBefore(before)
    const startedAtMs = performance.now()
    const answer = post(city, { 'Request-Timeout': '1' })
    const flow = await held
    await server.freeze()
    try {
      flow.resume()
      const result = await answer
      return { result, tookMs: performance.now() - startedAtMs }
    } finally {
      await server.thaw()
    }
  }
  const early = await startFrozen('Frozen early', 'insert into `city`')
  assert.equal(early.result.status, 504)
  const { detail } = (await early.result.json()) as { detail: string }
  assert.equal(detail, 'The database did not answer within 1000 ms. Nothing was changed.')
  assert.ok(early.tookMs < 1_800, `${early.tookMs} ms`)
  const late = await startFrozen('Frozen late', 'commit')
  const key = await assertOpen(late.result, 504)
  await assertWritten(await post('Frozen late', { 'Idempotency-Key': key }), 'Frozen late')
  assert.deepEqual(await idsOf('Frozen early'), [])
})

test('a ROLLBACK that is not answered does not keep its caller past the deadline', async () => {
  await openService()
  const held = heldBefore('rollback')
  const startedAtMs = performance.now()
  const answer = post('No country', { 'Request-Timeout': '0.2' }, 110)
  await held
  await server.freeze() // otherwise the pool asks it, and knows that no answer will come
  const { status } = await answer.finally(() => server.thaw())
  const tookMs = performance.now() - startedAtMs
  assert.equal(status, 422)
  assert.ok(tookMs < 1_000, `${tookMs} ms`) // as long as the pool itself waits for it
})

test('a server that was read-only, and is not any more when it is asked, gets the write again', async () => {
  await openService()
  assert.equal((await post('Warm')).status, 201)
  const readOnly = await setReadOnly(server)
  const held = heldBefore('select @@global.read_only')
  const answer = post('Refused once')
  const flow = await held
  await readOnly.lift()
  flow.resume()
  await assertWritten(await answer, 'Refused once')
})
