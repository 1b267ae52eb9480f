import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, test } from 'vitest'
import { startKeyRemoval } from '../../db/key-removal.ts'
import { removeExpiredKeys } from '../../db/queries/idempotency-keys.ts'
import { createManualClock } from '../src/manual-clock.ts'
import { until } from '../support/fault-site.ts'
import { openPlainConnection } from '../support/server-faults.ts'
import { createTestApp, type TestApp } from './http-fixture.ts'

/** Two replicas over one schema. */
let service: TestApp
let other: TestApp

beforeAll(async () => {
  service = await createTestApp()
  other = await createTestApp(service.schema, { tokens: [service.token, 'second-token'] })
})
afterAll(async () => {
  await other.database.close({ deadlineMs: 1000 })
  await service.close()
})

type Headers = Record<string, string>

interface Asked {
  readonly method?: string
  readonly path?: string
  readonly body?: unknown
  readonly headers?: Headers
}

async function ask(key: string | undefined, asked: Asked = {}, replica = service): Promise<Response> {
  const { method = 'POST', path = '/cities', headers = {}, body } = asked
  const all: Headers = {
    Authorization: `Bearer ${service.token}`,
    'Content-Type': 'application/json',
    ...(key !== undefined && { 'Idempotency-Key': key }),
    ...headers,
  }
  return await replica.app.request(path, {
    method,
    headers: all,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

const named = (city: string) => ({ body: { city, countryId: 1 } })

async function countOf(city: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from city where city = ${city}`.execute(
    service.database.kysely,
  )
  return Number(rows[0]?.count)
}

/** What a client can compare. */
async function contentOf(answer: Response) {
  const [etag, location] = [answer.headers.get('ETag'), answer.headers.get('Location')]
  return { status: answer.status, etag, location, body: await answer.text() }
}

const isReplayed = (answer: Response) => answer.headers.get('Idempotency-Replayed')

test('a repeated POST adds one row, and its answer is the first one, marked as replayed', async () => {
  const first = await ask('once', named('Once'))
  const again = await ask('once', { body: { countryId: 1, city: 'Once' } })
  const elsewhere = await ask('once', named('Once'), other)
  assert.deepEqual([first, again, elsewhere].map(isReplayed), [null, 'true', 'true'])
  const content = await contentOf(first)
  assert.equal(content.status, 201)
  assert.deepEqual(await contentOf(again), content)
  assert.deepEqual(await contentOf(elsewhere), content)
  assert.equal(await countOf('Once'), 1)
})

test('a repeated PATCH or DELETE is answered as the first, also when its If-Match matches no more', async () => {
  const made = await ask('to-change', named('To change'))
  const path = made.headers.get('Location') ?? ''
  const change = {
    method: 'PATCH',
    path,
    body: { city: 'Changed' },
    headers: { 'If-Match': made.headers.get('ETag') ?? '' },
  }
  const changed = await ask('change', change)
  const changedAgain = await ask('change', change)
  assert.deepEqual([isReplayed(changed), isReplayed(changedAgain)], [null, 'true'])
  const content = await contentOf(changed)
  assert.equal(content.status, 200)
  assert.deepEqual(await contentOf(changedAgain), content)
  const removal = { method: 'DELETE', path, headers: { 'If-Match': content.etag ?? '' } }
  const [removed, removedAgain, unknown] = [
    await ask('remove', removal),
    await ask('remove', removal),
    await ask('x', removal),
  ]
  assert.deepEqual([removed.status, removedAgain.status, unknown.status], [204, 204, 404])
  assert.deepEqual([isReplayed(removed), isReplayed(removedAgain)], [null, 'true'])
})

test('the same key for something else is 422: another body, path or condition', async () => {
  await ask('mine', named('Mine'))
  const { headers } = await ask('two', named('Two'))
  const path = headers.get('Location') ?? ''
  const change = { method: 'PATCH', path, body: { city: 'Two changed' } }
  assert.equal((await ask('patch', change)).status, 200)
  for (const answer of [
    await ask('mine', named('Not mine')),
    await ask('patch', { ...change, path: '/cities/1' }),
    await ask('patch', { ...change, headers: { 'If-Match': '*' } }),
  ]) {
    assert.equal(answer.status, 422)
    assert.equal(
      ((await answer.json()) as { detail: string }).detail,
      'The Idempotency-Key belongs to another request.',
    )
  }
  assert.equal(await countOf('Not mine'), 0)
})

test('a key belongs to one token and one route', async () => {
  const first = await ask('shared', named('Shared'))
  const ofOther = await ask('shared', { ...named('Shared'), headers: { Authorization: 'Bearer second-token' } }, other)
  const ofRoute = await ask('shared', {
    method: 'PATCH',
    path: first.headers.get('Location') ?? '',
    body: { countryId: 1 },
  })
  assert.deepEqual([first.status, ofOther.status, ofRoute.status], [201, 201, 200])
  assert.deepEqual([ofOther, ofRoute].map(isReplayed), [null, null])
  assert.equal(await countOf('Shared'), 2)
})

test('without a key each request is one of its own, and no key is told', async () => {
  const answers = [await ask(undefined, named('Each')), await ask(undefined, named('Each'))]
  assert.deepEqual(
    answers.map(({ headers }) => headers.get('Idempotency-Key')),
    [null, null],
  )
  assert.equal(await countOf('Each'), 2)
})

test('a request that failed leaves its key free', async () => {
  assert.equal((await ask('free', { body: { city: 'Free', countryId: 110 } })).status, 422)
  assert.equal((await ask('free', named('Free'))).status, 201)
  const { headers } = await ask('free-2', named('Free 2'))
  const path = headers.get('Location') ?? ''
  const change = { method: 'PATCH', path, body: { city: 'Freed' } }
  assert.equal((await ask('stale', { ...change, headers: { 'If-Match': '"x"' } })).status, 412)
  assert.equal((await ask('stale', change)).status, 200)
})

test('a key has 1 to 255 visible characters; any other is 400 and named by its header', async () => {
  const keys: Record<string, number> = {
    '!': 201,
    ['~'.repeat(255)]: 201,
    ['k'.repeat(256)]: 400,
    'a b': 400,
    '': 400,
    '\u00e9': 400,
  }
  for (const [key, status] of Object.entries(keys)) {
    const answer = await ask(key, named('Keyed'))
    assert.equal(answer.status, status, key)
    if (status !== 400) continue
    const { errors } = (await answer.json()) as { errors: unknown }
    assert.deepEqual(errors, [{ header: 'Idempotency-Key', detail: 'must be 1 to 255 visible ASCII characters' }])
  }
  assert.equal(await countOf('Keyed'), 2)
  // Compared byte for byte.
  assert.equal(isReplayed(await ask('K', named('Keyed'))), null)
  assert.equal(isReplayed(await ask('k', named('Keyed'))), null)
})

test('replicas that race on one key make one row, and tell all the same', async () => {
  for (let round = 0; round < 8; round += 1) {
    const city = `Raced ${round}`
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) => ask(`race-${round}`, named(city), n % 2 ? service : other)),
    )
    const contents = await Promise.all(answers.map(contentOf))
    assert.equal(await countOf(city), 1)
    assert.deepEqual(
      contents.map(({ status }) => status),
      Array(6).fill(201),
    )
    assert.equal(new Set(contents.map((content) => JSON.stringify(content))).size, 1)
    assert.equal(answers.filter((answer) => isReplayed(answer) === null).length, 1)
  }
})

/** A transaction that has done the write of `key` and not ended, as one of a replica that takes long. */
async function startSlowWrite(key: string, city: string) {
  const holder = await openPlainConnection(service.schema.migrator)
  await holder.beginTransaction()
  const { kysely } = service.database
  assert.equal((await ask(key, named(city))).status, 201)
  const { key_hash, ...row } = await kysely
    .selectFrom('idempotency_key')
    .selectAll()
    .orderBy('created_at', 'desc')
    .where('answer', 'like', `%"${city}"%`)
    .executeTakeFirstOrThrow()
  await kysely.deleteFrom('idempotency_key').where('key_hash', '=', key_hash).execute()
  await holder.query('INSERT INTO idempotency_key SET ?', [{ key_hash, ...row }])
  return holder
}

test('while the first is under way the second waits for it, and then tells what it did', async () => {
  const holder = await startSlowWrite('slow', 'Slow')
  try {
    const second = ask('slow', named('Slow'))
    const isWaiting = sql<{
      n: number
    }>`select count(*) as n from information_schema.innodb_trx where trx_state = 'LOCK WAIT'`
    const admin = await openPlainConnection(service.schema.admin)
    for (let n = 0; n === 0; await sleep(150)) {
      const [rows] = await admin.query(isWaiting.compile(service.database.kysely).sql)
      n = (rows as { n: number }[])[0]?.n ?? 0
    }
    admin.destroy()
    await holder.commit()
    assert.equal(isReplayed(await second), 'true')
    assert.equal(await countOf('Slow'), 1)
  } finally {
    holder.destroy()
  }
})

test('when it does not end within a second, the second is 409 and says when to ask again', async () => {
  const holder = await startSlowWrite('stuck', 'Stuck')
  try {
    const startedAtMs = performance.now()
    const answer = await ask('stuck', named('Stuck'))
    assert.ok(performance.now() - startedAtMs >= 900)
    assert.deepEqual([answer.status, answer.headers.get('Retry-After')], [409, '1'])
    const { detail } = (await answer.json()) as { detail: string }
    assert.equal(detail, 'A request with this Idempotency-Key is under way.')
    await holder.rollback()
    assert.equal(isReplayed(await ask('stuck', named('Stuck'))), null)
  } finally {
    holder.destroy()
  }
})

async function age(hours: number, city: string): Promise<void> {
  const { kysely } = service.database
  const aged = sql<Date>`current_timestamp - interval ${sql.lit(hours * 60)} minute`
  await kysely.updateTable('idempotency_key').set({ created_at: aged }).where('answer', 'like', `%"${city}"%`).execute()
}

test('a key is good for 24 h, and then free for anything', async () => {
  await ask('old', named('Old'))
  await age(23.9, 'Old')
  assert.equal(isReplayed(await ask('old', named('Old'))), 'true')
  await age(24.1, 'Old')
  const answer = await ask('old', named('New'))
  assert.deepEqual([answer.status, isReplayed(answer)], [201, null])
  assert.equal(isReplayed(await ask('old', named('New'))), 'true')
  assert.deepEqual([await countOf('Old'), await countOf('New')], [1, 1])
})

test('expired keys are removed in small batches, and no others', async () => {
  const { kysely } = service.database
  const count = async () =>
    Number(
      (
        await kysely
          .selectFrom('idempotency_key')
          .select((eb) => eb.fn.countAll<number>().as('n'))
          .executeTakeFirstOrThrow()
      ).n,
    )
  for (let n = 0; n < 5; n += 1) await ask(`expired-${n}`, named('Expired'))
  await ask('fresh', named('Fresh'))
  await age(24.1, 'Expired')
  const before = await count()
  assert.equal(await removeExpiredKeys(kysely, 3), 3)
  assert.equal(await count(), before - 3)
  assert.equal(await removeExpiredKeys(kysely, 3), 2)
  assert.equal(await removeExpiredKeys(kysely, 3), 0)
  assert.equal(await count(), before - 5)
  assert.equal(isReplayed(await ask('fresh', named('Fresh'))), 'true')
})

test('expired keys are looked for now and then, until that is stopped', async () => {
  const { kysely, runInScope } = service.database
  const clock = createManualClock()
  const stop = startKeyRemoval({ kysely, clock, random: () => 0.5, runInScope })
  const isThere = async () =>
    (await kysely.selectFrom('idempotency_key').where('answer', 'like', '%"Aged"%').select('key_hash').execute())
      .length > 0
  for (let round = 0; round < 2; round += 1) {
    await ask(`aged-${round}`, named('Aged'))
    await age(24.1, 'Aged')
    clock.advance(59_999)
    assert.equal(await isThere(), true)
    clock.advance(1)
    assert.ok((await until(async () => !(await isThere()), 5_000)) < 5_000)
    assert.ok((await until(() => clock.pending() === 1, 5_000)) < 5_000)
  }
  stop()
  assert.equal(clock.pending(), 0)
})

test('no key and no token was logged or stored', async () => {
  const rows = await service.database.kysely.selectFrom('idempotency_key').selectAll().execute()
  const text = JSON.stringify([service.lines, other.lines, rows])
  for (const secret of [service.token, 'second-token', 'to-change', 'race-1']) assert.ok(!text.includes(secret), secret)
})
