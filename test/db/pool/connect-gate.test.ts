import assert from 'node:assert/strict'
import { test } from 'vitest'
import { ConnectGate } from '../../../db/pool/connect-gate.ts'

test('a burst starts with two attempts; the third waits for one of them', () => {
  const gate = new ConnectGate(() => 0)
  for (let count = 0; count < 2; count += 1) {
    assert.equal(gate.delayMs(0, 'high'), 0)
    gate.started(0)
  }
  assert.equal(gate.delayMs(0, 'high'), undefined)
  gate.succeeded()
  assert.equal(gate.delayMs(0, 'high'), 0)
})

test('after a success four may be under way; a burst after a pause of 100 ms starts with two again', () => {
  const underWayAfter = (pauseMs: number) => {
    const gate = new ConnectGate(() => 0)
    gate.started(0)
    gate.succeeded()
    let count = 0
    for (; gate.delayMs(pauseMs, 'high') === 0; count += 1) gate.started(pauseMs)
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
  assert.equal(gate.delayMs(95, 'high'), 925)
  assert.equal(gate.delayMs(1_019, 'high'), 1)
  assert.equal(gate.delayMs(1_020, 'high'), 0)
  gate.started(1_020)
  gate.succeeded()
  assert.equal(gate.delayMs(1_020, 'high'), 10)
})

test('while other connections serve the queue seven attempts a second: three are kept for a loss of everything', () => {
  const gate = new ConnectGate(() => 0)
  for (let count = 0; count < 7; count += 1) {
    assert.equal(gate.delayMs(count * 10, 'normal'), 0)
    gate.started(count * 10)
    gate.succeeded()
  }
  assert.equal(gate.delayMs(100, 'normal'), 920)
  assert.equal(gate.delayMs(100, 'low'), 920)
  assert.equal(gate.delayMs(100, 'high'), 0)
  assert.equal(gate.delayMs(1_020, 'normal'), 0)
})

test('after a failure one attempt at a time, after its pause, which began with the attempt that failed', () => {
  const gate = new ConnectGate(() => 0)
  gate.started(0)
  gate.failed()
  assert.equal(gate.delayMs(20, 'high'), 5)
  assert.equal(gate.delayMs(24, 'high'), 1)
  assert.equal(gate.delayMs(25, 'high'), 0)
  gate.started(25)
  assert.equal(gate.delayMs(25, 'high'), undefined)
})

test('the pause is drawn once for each failure, and shorter when someone waits', () => {
  let drawn = 0
  const gate = new ConnectGate(() => {
    drawn += 1
    return 0.5
  })
  gate.started(0)
  gate.failed()
  assert.equal(gate.delayMs(0, 'high'), 37.5) // 25 + 25 / 2
  assert.equal(gate.delayMs(0, 'low'), 412.5) // 25 + 775 / 2
  assert.equal(gate.delayMs(30, 'high'), 7.5)
  assert.equal(drawn, 1)
})

test('after an outage two attempts may be under way, then four', () => {
  const gate = new ConnectGate(() => 0)
  gate.started(0)
  gate.failed()
  const start = (nowMs: number) => {
    let count = 0
    for (; gate.delayMs(nowMs, 'high') === 0; count += 1) gate.started(nowMs)
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
