import assert from 'node:assert/strict'
import { test } from 'vitest'
import { enduranceTable } from '../../bench/endurance-report.ts'

test('growth is judged by the second half: the first fills caches and heap', () => {
  const samples = [
    { requests: 1_000_000, residentMb: 90, heapMb: 20 },
    { requests: 2_000_000, residentMb: 300, heapMb: 5 },
    { requests: 3_000_000, residentMb: 200.4, heapMb: 31 },
    { requests: 4_000_000, residentMb: 203.4, heapMb: 31 },
  ]
  assert.deepEqual(enduranceTable(samples), [
    ['MB', 'after 1,000,000', 'after 4,000,000', 'least in the 2nd half', 'most in it', 'per million requests in it'],
    ['resident memory', '90', '203', '200', '203', '3.00'],
    ['JavaScript heap in use', '20', '31', '31', '31', '0.00'],
  ])
})

test('a run that was interrupted says what it knows', () => {
  assert.deepEqual(enduranceTable([]), [['nothing was measured']])
  assert.equal(enduranceTable([{ requests: 1000, residentMb: 90, heapMb: 20 }])[1]?.at(-1), 'unknown')
})
