import assert from 'node:assert/strict'
import { test } from 'vitest'
import { WaitQueue } from '../../../db/pool/wait-queue.ts'

function queueOf(...values: string[]) {
  const queue = new WaitQueue<string>()
  return { queue, tickets: values.map((value) => queue.push(value)) }
}

function drain(queue: WaitQueue<string>): string[] {
  const values: string[] = []
  for (let value = queue.shift(); value !== undefined; value = queue.shift()) values.push(value)
  return values
}

test('first in, first out', () => {
  const { queue } = queueOf('a', 'b', 'c')
  assert.equal(queue.length, 3)
  assert.deepEqual(drain(queue), ['a', 'b', 'c'])
  assert.equal(queue.length, 0)
  assert.equal(queue.shift(), undefined)
})

for (const [place, index, left] of [
  ['first', 0, ['b', 'c']],
  ['middle', 1, ['a', 'c']],
  ['last', 2, ['a', 'b']],
] as const) {
  test(`the ${place} can be taken out, once, and the others keep their order`, () => {
    const { queue, tickets } = queueOf('a', 'b', 'c')
    const ticket = tickets[index]
    assert.ok(ticket)
    queue.remove(ticket)
    queue.remove(ticket)
    assert.equal(queue.length, 2)
    queue.push('d')
    assert.deepEqual(drain(queue), [...left, 'd'])
  })
}

test('what was shifted is not removed again from under the others', () => {
  const { queue, tickets } = queueOf('a', 'b')
  assert.equal(queue.shift(), 'a')
  for (const ticket of tickets) queue.remove(ticket)
  assert.equal(queue.length, 0)
  queue.push('c')
  assert.deepEqual(drain(queue), ['c'])
})

test('10,000 can be taken out of the middle without anyone looking through the others', () => {
  const { queue, tickets } = queueOf(...Array.from({ length: 20_000 }, (_, index) => String(index)))
  const startedAtMs = performance.now()
  for (const [index, ticket] of tickets.entries()) if (index % 2 === 1) queue.remove(ticket)
  assert.ok(performance.now() - startedAtMs < 100)
  assert.equal(queue.length, 10_000)
  assert.equal(queue.shift(), '0')
  assert.equal(queue.shift(), '2')
})
