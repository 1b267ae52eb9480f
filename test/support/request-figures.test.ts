import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { RequestRecord } from './clients.ts'
import {
  failedOf,
  firstSuccessAfterMs,
  longestGapMs,
  mostPerSecond,
  percentileMs,
  slowestMs,
  unansweredOf,
} from './request-figures.ts'

function record(startMs: number, endMs: number, status = 200): RequestRecord {
  return { startMs, endMs, status, isOk: status === 200, body: '', sent: '' }
}

const records = [record(0, 10), record(10, 40, 503), record(10, 90), record(95, 195, 0)]

test('tells failed and unanswered requests apart', () => {
  assert.deepEqual(failedOf(records), [records[1], records[3]])
  assert.deepEqual(unansweredOf(records), [records[3]])
})

test('a gap is between right answers only, the edges of the time looked at included', () => {
  assert.equal(longestGapMs(records, 0, 100), 80)
  assert.equal(longestGapMs(records, 0, 200), 110)
  assert.equal(longestGapMs([], 0, 100), 100)
})

test('the first success after a moment ends after it', () => {
  assert.equal(firstSuccessAfterMs(records, 10), 80)
  assert.equal(firstSuccessAfterMs(records, 90), Number.POSITIVE_INFINITY)
})

test('the slowest includes those without an answer', () => {
  assert.equal(slowestMs(records), 100)
  assert.equal(slowestMs([]), 0)
})

test('a percentile is a time that this share stayed within', () => {
  assert.equal(percentileMs(records, 0.5), 80)
  assert.equal(percentileMs(records, 1), 100)
})

test('counts moments within one second, its end excluded', () => {
  assert.equal(mostPerSecond([0, 500, 999, 1_000, 1_001]), 4)
  assert.equal(mostPerSecond([0, 1_000, 2_000]), 1)
  assert.equal(mostPerSecond([]), 0)
})
