import assert from 'node:assert/strict'
import type { CompiledQuery } from 'kysely'
import { test } from 'vitest'
import { StatementTooLargeError } from '../../db/errors.ts'
import { type LookupRuntime, type Placed, PointLookup } from '../../db/point-lookup.ts'
import { Scope } from '../../db/scope.ts'
import { createManualClock } from '../src/manual-clock.ts'

interface Row extends Placed {
  readonly value: string
}

/** A statement under way. */
interface Statement {
  readonly size: number
  readonly keys: readonly unknown[]
  readonly scope: Scope | undefined
  /** Every key has a row but `none`. */
  readonly answer: () => void
  readonly fail: (error: Error) => void
}

function open(maxBatch?: number) {
  const clock = createManualClock()
  const statements: Statement[] = []
  let current: Scope | undefined
  const runtime: LookupRuntime = {
    clock,
    maxBatch,
    currentScope: () => current,
    read: <R>({ sql, parameters }: CompiledQuery<R>, scope: Scope | undefined) =>
      new Promise<readonly R[]>((resolve, reject) => {
        const rows: Row[] = parameters.flatMap((key, place) =>
          key === 'none' ? [] : [{ place, value: `row of ${key}` }],
        )
        const answer = () => resolve(rows as readonly unknown[] as readonly R[]) // the only rows asked for are these
        statements.push({ size: Number(sql), keys: parameters, scope, answer, fail: reject })
      }),
    afterPoll: setImmediate,
  }
  const build = (size: number) => ({ sql: String(size), parameters: [] }) as unknown as CompiledQuery<Row>
  const lookup = new PointLookup<string, Row>(runtime, build)
  const find = (key: string, scope?: Scope) => {
    current = scope
    return lookup.find(key)
  }
  return { clock, statements, find }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('lookups of one turn share a statement, padded to a power of two; each gets its own row', async () => {
  const { statements, find } = open()
  const found = Promise.all(['a', 'none', 'a', 'b', 'c'].map((key) => find(key)))
  assert.equal(statements.length, 0)
  await nextTurn()
  assert.deepEqual(
    statements.map(({ size, keys }) => [size, keys]),
    [[8, ['a', 'none', 'a', 'b', 'c', 'a', 'a', 'a']]],
  )
  statements[0]?.answer()
  assert.deepEqual(
    (await found).map((row) => row?.value),
    ['row of a', undefined, 'row of a', 'row of b', 'row of c'],
  )
})

test('a lookup alone runs in its own scope', async () => {
  const { clock, statements, find } = open()
  const scope = new Scope(clock, 1000)
  const found = find('a', scope)
  await nextTurn()
  assert.equal(statements[0]?.scope, scope)
  statements[0].answer()
  assert.equal((await found)?.value, 'row of a')
})

test('with two statements under way lookups wait for one of them, for 32 others, or for 5 ms', async () => {
  const { clock, statements, find } = open()
  for (const key of ['a', 'b']) {
    void find(key)
    await nextTurn()
  }
  void find('c')
  await nextTurn()
  assert.equal(statements.length, 2)
  statements[0]?.answer()
  await nextTurn()
  assert.deepEqual(statements[2]?.keys, ['c'])
  void find('d')
  await nextTurn()
  assert.equal(statements.length, 3)
  clock.advance(5)
  assert.deepEqual(statements[3]?.keys, ['d'])
  for (let count = 0; count < 33; count += 1) void find(`e${count}`)
  await nextTurn()
  assert.deepEqual(
    statements.slice(4).map(({ size }) => size),
    [32],
  )
})

test('who does not share a statement is sent after 5 ms more, however long the others take', async () => {
  const { clock, statements, find } = open()
  for (const key of ['a', 'b']) {
    void find(key)
    await nextTurn()
  }
  const scopes = [new Scope(clock, 5000), new Scope(clock, 1000)]
  for (const [index, scope] of scopes.entries()) find(`c${index}`, scope).catch(() => {})
  await nextTurn()
  clock.advance(5)
  assert.deepEqual(statements[2]?.keys, ['c0'])
  clock.advance(5)
  assert.deepEqual(statements[3]?.keys, ['c1'])
})

test('a lookup without a scope runs in none of another caller', async () => {
  const { clock, statements, find } = open()
  const scope = new Scope(clock, 1000)
  find('a', scope).catch(() => {})
  void find('b')
  await nextTurn()
  assert.deepEqual(
    statements.map(({ keys }) => keys),
    [['a'], ['b']],
  )
  assert.notEqual(statements[1]?.scope, scope)
  assert.equal(statements[1]?.scope?.deadlineAtMs, Number.POSITIVE_INFINITY)
})

test('who leaves leaves alone; when all have left the statement ends', async () => {
  const { clock, statements, find } = open()
  const scopes = [new Scope(clock, 1000), new Scope(clock, 1000), new Scope(clock, 1000)]
  const [first, second, third] = scopes.map((scope, index) => find(`key ${index}`, scope))
  await nextTurn()
  scopes[0]?.abort(new Error('left'))
  await assert.rejects(first ?? Promise.resolve(), { message: 'left' })
  assert.equal(statements[0]?.scope?.reason, undefined)
  statements[0]?.answer()
  assert.deepEqual([(await second)?.value, (await third)?.value], ['row of key 1', 'row of key 2'])

  const others = [new Scope(clock, 1000), new Scope(clock, 1000)]
  const found = others.map((scope) => find('a', scope))
  await nextTurn()
  for (const scope of others) scope.abort(new Error('left'))
  for (const lookup of found) await assert.rejects(lookup, { message: 'left' })
  assert.equal(statements[1]?.scope?.reason?.message, 'left')
})

test('at the deadline the statement tells what became of it: no connection, or still running', async () => {
  const { clock, statements, find } = open()
  const scopes = [new Scope(clock, 1000), new Scope(clock, 1000)]
  const found = scopes.map((scope) => find('a', scope))
  await nextTurn()
  clock.advance(1000)
  assert.deepEqual(
    scopes.map(({ reason }) => reason?.name),
    ['DeadlineExceededError', 'DeadlineExceededError'],
  )
  statements[0]?.fail(new Error('no connection in 1000 ms'))
  for (const lookup of found) await assert.rejects(lookup, { message: 'no connection in 1000 ms' })
})

test('a caller who left before the statement was sent is not in it', async () => {
  const { clock, statements, find } = open()
  const scope = new Scope(clock, 1000)
  const left = find('a', scope)
  const stays = find('b')
  scope.abort(new Error('left'))
  await assert.rejects(left, { message: 'left' })
  await assert.rejects(find('c', scope), { message: 'left' })
  await nextTurn()
  assert.deepEqual(statements[0]?.keys, ['b'])
  statements[0].answer()
  assert.equal((await stays)?.value, 'row of b')
})

test('who has less time does not share a statement with who has more; it ends at the first deadline', async () => {
  const { clock, statements, find } = open()
  const found = [1000, 1050, 1051, Number.POSITIVE_INFINITY].map((ms) => find(`${ms}`, new Scope(clock, ms)))
  await nextTurn()
  assert.deepEqual(
    statements.map(({ keys, scope }) => [keys, scope?.deadlineAtMs]),
    [
      [['1000', '1050'], 1000],
      [['1051'], 1051],
    ],
  )
  for (const lookup of found) lookup.catch(() => {})
})

test('when the server refuses a statement each key is asked by itself', async () => {
  const { statements, find } = open()
  const [good, bad] = [find('good'), find('bad')]
  await nextTurn()
  statements[0]?.fail(Object.assign(new Error('no such value'), { errno: 1366 }))
  await nextTurn()
  assert.deepEqual(
    statements.slice(1).map(({ keys }) => keys),
    [['good'], ['bad']],
  )
  statements[1]?.answer()
  statements[2]?.fail(Object.assign(new Error('no such value'), { errno: 1366 }))
  assert.equal((await good)?.value, 'row of good')
  await assert.rejects(bad, { errno: 1366 })
})

test('so it is when the statement was too large, which one key can be the cause of', async () => {
  const { statements, find } = open()
  const [good, bad] = [find('good'), find('x'.repeat(2000))]
  await nextTurn()
  statements[0]?.fail(new StatementTooLargeError(2100, 1024))
  await nextTurn()
  statements[1]?.answer()
  statements[2]?.fail(new StatementTooLargeError(2050, 1024))
  assert.equal((await good)?.value, 'row of good')
  await assert.rejects(bad, { name: 'StatementTooLargeError', sizeBytes: 2050 })
})

test('what no key can be the cause of is not asked again: a table that is missing, a KILL, a time limit', async () => {
  for (const errno of [1146, 1317, 3024]) {
    const { statements, find } = open()
    const found = [find('a'), find('b')]
    await nextTurn()
    statements[0]?.fail(Object.assign(new Error('refused'), { errno }))
    for (const lookup of found) await assert.rejects(lookup, { errno })
    assert.equal(statements.length, 1)
  }
})

test('when no connection can be had everybody is told', async () => {
  const { statements, find } = open()
  const found = [find('a'), find('b')]
  await nextTurn()
  statements[0]?.fail(new Error('no connection'))
  for (const lookup of found) await assert.rejects(lookup, { message: 'no connection' })
  assert.equal(statements.length, 1)
})

test('with a batch of one nobody waits and nothing is shared', () => {
  const { statements, find } = open(1)
  for (const key of ['a', 'b']) void find(key)
  assert.deepEqual(
    statements.map(({ keys }) => keys),
    [['a'], ['b']],
  )
})
