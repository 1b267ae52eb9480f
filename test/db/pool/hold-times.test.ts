import assert from 'node:assert/strict'
import { test } from 'vitest'
import { HoldTimes } from '../../../db/pool/hold-times.ts'

test('is 0 before anyone held a connection, then the middle one', () => {
  const holds = new HoldTimes()
  assert.equal(holds.medianMs, 0)
  holds.record(30)
  assert.equal(holds.medianMs, 30)
  for (const heldMs of [10, 1_000]) holds.record(heldMs)
  assert.equal(holds.medianMs, 30)
})

test('one long hold among many does not move it', () => {
  const holds = new HoldTimes()
  for (let count = 0; count < 63; count += 1) holds.record(5)
  holds.record(60_000)
  assert.equal(holds.medianMs, 5)
})

test('only the last 64 count, at the latest eight later', () => {
  const holds = new HoldTimes()
  for (let count = 0; count < 64; count += 1) holds.record(5)
  for (let count = 0; count < 31; count += 1) holds.record(100)
  assert.equal(holds.medianMs, 5)
  for (let count = 0; count < 9; count += 1) holds.record(100) // 32 of 64 are above, eight records ago
  assert.equal(holds.medianMs, 100)
})
