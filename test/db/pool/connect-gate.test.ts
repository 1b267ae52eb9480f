import assert from 'node:assert/strict'
import { test } from 'vitest'
import { ConnectGate } from '../../../db/pool/connect-gate.ts'

test('a burst starts with two attempts; the third waits for one of them', () => {
  const gate = new ConnectGate(() => 0)
  for (let count = 0; count < 2; count += 1) {
    assert.equal(gate.delayMs(0, true), 0)
    gate.started(0)
  }
  assert.equal(gate.delayMs(0, true), undefined)
  gate.succeeded()
  assert.equal(gate.delayMs(0, true), 0)
})

test('after a success four may be under way; a burst after a pause of 100 ms starts with two again', () => {
  const underWayAfter = (pauseMs: number) => {
    const gate = new ConnectGate(() => 0)
    gate.started(0)
    gate.succeeded()
    let count = 0
    for (; gate.delayMs(pauseMs, true) === 0; count += 1) gate.started(pauseMs)
    return count
  }
  assert.equal(underWayAfter(99), 4)
  assert.equal(underWayAfter(100), 2)
})

test('the eleventh attempt starts more than a second after the first, not before', () => {
  const gate = new ConnectGate(() => 0)
  for (let count = 0; count < 10; count += 1) {
    gate.started(count * 10)
    gate.succeeded()
  }
  assert.equal(gate.delayMs(95, true), 925)
  assert.equal(gate.delayMs(1_019, true), 1)
  assert.equal(gate.delayMs(1_020, true), 0)
  gate.started(1_020)
  gate.succeeded()
  assert.equal(gate.delayMs(1_020, true), 10)
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

test('after an outage two attempts may be under way, then four', () => {
  const gate = new ConnectGate(() => 0)
  gate.started(0)
  gate.failed()
  const start = (nowMs: number) => {
    let count = 0
    for (; gate.delayMs(nowMs, true) === 0; count += 1) gate.started(nowMs)
    return count
  }
  assert.equal(start(10_000), 1)
  gate.succeeded()
  assert.equal(start(20_000), 2)
  gate.succeeded()
  assert.equal(start(30_000), 3) // one is under way still
  gate.succeeded()
  assert.equal(start(40_000), 1)
  gate.failed()
  assert.equal(start(50_000), 0)
})
