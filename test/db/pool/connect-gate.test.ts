import assert from 'node:assert/strict'
import { test } from 'vitest'
import { ConnectGate } from '../../../db/pool/connect-gate.ts'

test('nothing holds up the first four attempts; the fifth waits for one of them', () => {
  const gate = new ConnectGate(() => 0)
  for (let count = 0; count < 4; count += 1) {
    assert.equal(gate.delayMs(0, true), 0)
    gate.started(0)
  }
  assert.equal(gate.delayMs(0, true), undefined)
  gate.succeeded()
  assert.equal(gate.delayMs(0, true), 0)
})

test('the eleventh attempt starts more than a second after the first, not before', () => {
  const gate = new ConnectGate(() => 0)
  for (let count = 0; count < 10; count += 1) {
    gate.started(count * 10)
    gate.succeeded()
  }
  assert.equal(gate.delayMs(95, true), 1_005)
  assert.equal(gate.delayMs(1_099, true), 1)
  assert.equal(gate.delayMs(1_100, true), 0)
  gate.started(1_100)
  gate.succeeded()
  assert.equal(gate.delayMs(1_100, true), 10)
})

test('after a failure one attempt at a time, after its pause, which began with the attempt that failed', () => {
  const gate = new ConnectGate(() => 0)
  gate.started(0)
  gate.failed()
  assert.equal(gate.delayMs(20, true), 30)
  assert.equal(gate.delayMs(49, true), 1)
  assert.equal(gate.delayMs(50, true), 0)
  gate.started(50)
  assert.equal(gate.delayMs(50, true), undefined)
})

test('the pause is drawn once for each failure, and shorter when someone waits', () => {
  let drawn = 0
  const gate = new ConnectGate(() => {
    drawn += 1
    return 0.5
  })
  gate.started(0)
  gate.failed()
  assert.equal(gate.delayMs(0, true), 225) // 50 + 350 / 2
  assert.equal(gate.delayMs(0, false), 425) // 50 + 750 / 2
  assert.equal(gate.delayMs(100, true), 125)
  assert.equal(drawn, 1)
})

test('after an outage two attempts may be under way, then four and no more', () => {
  const gate = new ConnectGate(() => 0)
  gate.started(0)
  gate.failed()
  const allowed = (nowMs: number) => {
    let count = 0
    while (gate.delayMs(nowMs, true) === 0) {
      gate.started(nowMs)
      count += 1
    }
    return count
  }
  const succeed = (count: number) => {
    for (let index = 0; index < count; index += 1) gate.succeeded()
  }
  gate.started(10_000)
  gate.succeeded()
  assert.equal(allowed(20_000), 2)
  gate.succeeded() // four may be now, one is
  assert.equal(allowed(20_000), 3)
  succeed(4)
  assert.equal(allowed(20_000), 4)
  gate.failed()
  assert.equal(gate.delayMs(30_000, true), undefined)
})
