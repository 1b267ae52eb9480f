import assert from 'node:assert/strict'
import { test } from 'vitest'
import { describePauses } from '../../bench/pauses-report.ts'

const stock = { name: 'stock', title: 'Stock', tookMs: [20, 21, 22, 23, 24, 25] }
const service = (moreMs: number) => ({
  name: 'service',
  title: 'Ours',
  tookMs: stock.tookMs.map((ms) => ms + moreMs),
})

test('shows the times of each stack, and what the service takes more in the same round', () => {
  assert.equal(
    describePauses([stock, service(1)]),
    `stack  reads  p50 ms   95 % interval  p99 ms  slowest ms
Stock      6   22.50  20.00 to 25.00   25.00       25.00
Ours       6   23.50  21.00 to 26.00   26.00       26.00

Ours, more than    ms  95 % interval    p50                   
Stock            1.00   1.00 to 1.00  +1.00  at most 1 ms: met`,
  )
})

test('more than a millisecond above stock is missed; another checkout is no bound', () => {
  assert.match(describePauses([stock, service(1.01)]), /\+1\.01 +at most 1 ms: MISSED/)
  const text = describePauses([{ ...stock, name: 'other' }, service(5)])
  assert.doesNotMatch(text, /met|MISSED/)
  assert.match(text, /\+5\.00/)
})

test('few rounds show their range, and a stack alone its times', () => {
  const alone = { ...stock, tookMs: [3, 1] }
  assert.equal(
    describePauses([alone]),
    `stack  reads  p50 ms       95 % interval  p99 ms  slowest ms
Stock      2    2.00  range 1.00 to 3.00    3.00        3.00`,
  )
})
