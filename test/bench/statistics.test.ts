import assert from 'node:assert/strict'
import { test } from 'vitest'
import { percentile, slopeOf, summarise } from '../../bench/statistics.ts'

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

test('the median is the middle value, or the mean of the two in the middle', () => {
  assert.equal(summarise([9, 1, 2]).median, 2)
  assert.equal(summarise([9, 1, 2, 4]).median, 3)
})

test("the 95 % interval of the median is the binomial's: known ranks, the narrowest that suffice", () => {
  // Tables of the sign test: n = 20 takes the 6th and the 15th value (95.9 %), n = 30 the 10th and the 21st (95.7 %).
  assert.deepEqual(summarise(upTo(20)).interval, { low: 6, high: 15 })
  assert.deepEqual(summarise(upTo(30)).interval, { low: 10, high: 21 })
  assert.deepEqual(summarise(upTo(6)).interval, { low: 1, high: 6 })
  // The 11th and the 22nd would hold it with 94.99 % only.
  assert.deepEqual(summarise(upTo(32)).interval, { low: 10, high: 23 })
})

test('five values bound no median with 95 %: there is no interval, but the range', () => {
  const { interval, ...rest } = summarise([5, 3, 4, 1, 2])
  assert.equal(interval, undefined)
  assert.deepEqual(rest, { count: 5, median: 3, min: 1, max: 5 })
})

test('nothing measured is an error, not a zero', () => {
  assert.throws(() => summarise([]), { name: 'RangeError', message: 'nothing was measured' })
  assert.throws(() => percentile([], 0.5), { name: 'RangeError', message: 'nothing was measured' })
})

test('a percentile is the value at its nearest rank, sorted as numbers', () => {
  const values = upTo(100).reverse()
  assert.equal(percentile(values, 0.5), 50)
  assert.equal(percentile(values, 0.99), 99)
  assert.equal(percentile(Float64Array.from([10, 9, 100]), 0.99), 100)
  assert.equal(percentile([7], 0), 7)
})

test('the slope is that of the line of least squares, whatever the order', () => {
  const line = [3, 1, 2].map((x) => ({ x, y: 10 - 2 * x }))
  assert.equal(slopeOf(line), -2)
  // Half of a step of 4 in the middle of 0, 1, 2, 3: 4 * (0.5 + 1.5) / 5.
  assert.equal(slopeOf([0, 0, 4, 4].map((y, x) => ({ x, y }))), 1.6)
})

test('one point, or several above one another, have no slope', () => {
  assert.equal(slopeOf([]), undefined)
  assert.equal(slopeOf([{ x: 1, y: 1 }]), undefined)
  assert.equal(slopeOf([1, 2].map((y) => ({ x: 7, y }))), undefined)
})
