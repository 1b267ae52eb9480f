import assert from 'node:assert/strict'
import { test } from 'vitest'
import { takeTurns } from '../../bench/take-turns.ts'

const rounds = Array.from({ length: 6 }, (_, round) => takeTurns(['a', 'b', 'c'], round).join(''))

test('in six rounds three stand in every order once', () => {
  assert.deepEqual(new Set(rounds), new Set(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']))
})

test('two go first by turns, and one alone or nobody is no trouble', () => {
  const orders = [0, 1, 2, 3].map((round) => takeTurns(['a', 'b'], round)[0])
  assert.equal(orders.filter((first) => first === 'a').length, 2)
  assert.deepEqual(takeTurns(['a'], 7), ['a'])
  assert.deepEqual(takeTurns([], 7), [])
})
