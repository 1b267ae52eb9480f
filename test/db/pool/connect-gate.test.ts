import assert from 'node:assert/strict'
import { test } from 'vitest'
import { ConnectGate, type Ticket } from '../../../db/pool/connect-gate.ts'

const never = () => false
const always = () => true

/** A gate whose attempts end as they are told to, with the least jitter. */
function createGate() {
  const gate = new ConnectGate(() => 0)
  const open = (atMs: number, hasServed = always) => gate.opened(gate.started(atMs), atMs, hasServed)
  const fail = (ticket: Ticket, nowMs: number) => gate.failed(ticket, nowMs, false)
  /** Starts as many as are allowed at once. */
  const startAll = (nowMs: number) => {
    const tickets: Ticket[] = []
    while (gate.delayMs(nowMs, 'high') === 0) tickets.push(gate.started(nowMs))
    return tickets
  }
  return { gate, open, fail, startAll }
}

test('a burst starts with one attempt; a second one when that has not ended within 100 ms, and no third', () => {
  const { gate, startAll } = createGate()
  assert.equal(startAll(0).length, 1)
  assert.equal(gate.delayMs(0, 'high'), 100)
  assert.equal(gate.delayMs(99, 'high'), 1)
  assert.equal(startAll(100).length, 1)
  assert.equal(gate.delayMs(5_000, 'high'), undefined)
})

test('after a success two may be under way, then four, then eight; a burst after a pause starts with few again', () => {
  const startedAfter = (successes: number, pauseMs: number) => {
    const { open, startAll } = createGate()
    for (let count = 0; count < successes; count += 1) open(0)
    return startAll(pauseMs).length
  }
  assert.deepEqual(
    [1, 2, 3, 4].map((successes) => startedAfter(successes, 99)),
    [2, 4, 8, 8],
  )
  // A new burst: as long as the credentials have proved to be right lately with three, which locks no account.
  assert.deepEqual(
    [1, 2, 4].map((successes) => startedAfter(successes, 100)),
    [2, 3, 3],
  )
  assert.deepEqual(
    [1_000, 1_001].map((pauseMs) => startedAfter(4, pauseMs)),
    [3, 1],
  )
})

test('what has served costs nothing; of what has not, ten a second', () => {
  const { gate, open } = createGate()
  for (let count = 0; count < 50; count += 1) open(count)
  assert.equal(gate.delayMs(60, 'high'), 0)
  for (let count = 0; count < 10; count += 1) open(100 + count * 10, never)
  assert.equal(gate.delayMs(195, 'high'), 925)
  assert.equal(gate.delayMs(1_119, 'high'), 1)
  assert.equal(gate.delayMs(1_120, 'high'), 0)
})

test('one that serves later is free from then on', () => {
  const { gate, open } = createGate()
  let hasServed = false
  for (let count = 0; count < 10; count += 1) open(count, () => hasServed)
  assert.equal(gate.delayMs(20, 'high'), 1_000)
  hasServed = true
  assert.equal(gate.delayMs(20, 'high'), 0)
})

test('while other connections serve the queue seven a second: three are kept for a loss of everything', () => {
  const { gate, open } = createGate()
  for (let count = 0; count < 7; count += 1) {
    assert.equal(gate.delayMs(count * 10, 'normal'), 0)
    open(count * 10, never)
  }
  assert.equal(gate.delayMs(100, 'normal'), 920)
  assert.equal(gate.delayMs(100, 'low'), 920)
  assert.equal(gate.delayMs(100, 'high'), 0)
  assert.equal(gate.delayMs(1_020, 'normal'), 0)
})

test('after a failure one attempt at a time, after its pause, which began with the attempt that failed', () => {
  const { gate, fail } = createGate()
  fail(gate.started(0), 10)
  assert.equal(gate.delayMs(20, 'high'), 5)
  assert.equal(gate.delayMs(24, 'high'), 1)
  assert.equal(gate.delayMs(25, 'high'), 0)
  gate.started(25)
  assert.equal(gate.delayMs(900, 'high'), undefined)
})

test('the pause is drawn once for each failure, and shorter when someone waits', () => {
  let drawn = 0
  const gate = new ConnectGate(() => {
    drawn += 1
    return 0.5
  })
  gate.failed(gate.started(0), 0, false)
  assert.equal(gate.delayMs(0, 'high'), 37.5) // 25 + 25 / 2
  assert.equal(gate.delayMs(0, 'low'), 412.5) // 25 + 775 / 2
  assert.equal(gate.delayMs(30, 'high'), 7.5)
  assert.equal(drawn, 1)
})

test('beside a silent attempt another starts each second for 12 s, then each 5 s, until one is heard', () => {
  const { gate } = createGate()
  const startsAtMs: number[] = []
  const tickets: Ticket[] = []
  let nowMs = 0
  for (; nowMs <= 30_000; nowMs += 100) {
    for (const ticket of tickets) {
      if (!ticket.isSilent && nowMs - ticket.startedAtMs >= 1_000) gate.fellSilent(ticket)
    }
    if (tickets.some(({ isSilent }) => !isSilent)) continue // one is wanted, and one is under way
    if (gate.delayMs(nowMs, 'high') !== 0) continue
    startsAtMs.push(nowMs)
    tickets.push(gate.started(nowMs))
  }
  assert.deepEqual(
    startsAtMs.map((atMs) => atMs / 1_000),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 21, 26],
  )
  const [first] = tickets
  assert.ok(first)
  assert.equal(gate.delayMs(nowMs, 'high'), 900)
  gate.heard(first)
  assert.equal(gate.delayMs(nowMs, 'high'), 0)
})

test('refused credentials are tried again after 1, 2, 7, 20, 30, 60, 60 s, however much they are needed', () => {
  const { gate } = createGate()
  const attemptsAtMs: number[] = []
  for (let nowMs = 0; nowMs <= 250_000; nowMs += 1_000) {
    if (gate.delayMs(nowMs, 'high') !== 0) continue
    attemptsAtMs.push(nowMs / 1_000)
    gate.failed(gate.started(nowMs), nowMs, true)
  }
  assert.deepEqual(attemptsAtMs, [0, 1, 3, 10, 30, 60, 120, 180, 240])
  assert.equal(gate.isRefused, true)
  gate.forgiveRefusals()
  assert.equal(gate.isRefused, false)
  assert.equal(gate.delayMs(250_000, 'high'), 0)
})

test('each refusal is a step, also of one moment, and what is accepted ends them', () => {
  const { gate } = createGate()
  const [one, other] = [gate.started(0), gate.started(0)]
  gate.failed(one, 10, true)
  gate.failed(other, 11, true)
  assert.equal(gate.delayMs(11, 'high'), 2_000)
  gate.opened(gate.started(2_011), 2_020, always)
  assert.equal(gate.isRefused, false)
})
