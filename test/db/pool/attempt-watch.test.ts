import assert from 'node:assert/strict'
import { test } from 'vitest'
import { AttemptWatch } from '../../../db/pool/attempt-watch.ts'
import { LoopTurn } from '../../../db/pool/loop-turn.ts'
import { createManualClock } from '../../src/manual-clock.ts'

/** A watch of a socket that is told what happens to it, and what the watch said, with the times in ms. */
function createWatch(limits = { connectTimeoutMs: 2_000, handshakeTimeoutMs: 30_000 }) {
  const clock = createManualClock()
  const told: string[] = []
  const tell = (what: string) => told.push(`${what} at ${clock.now()}`)
  const watch = new AttemptWatch(limits, {
    clock,
    turn: new LoopTurn(),
    onSilent: () => tell('silent'),
    onHeard: () => tell('heard'),
    onTimeout: ({ message }) => tell(message),
  })
  let accept = () => {}
  const socket = {
    bytesRead: 0,
    once: (_event: 'connect', listener: () => void) => {
      accept = listener
    },
  }
  const advance = async (ms: number) => {
    for (let passedMs = 0; passedMs < ms; passedMs += 10) {
      clock.advance(10)
      for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { watch, socket, told, advance, accept: () => accept(), startedAtMs: clock.now() }
}

test('what is not accepted is silent after a second, and over after its time', async () => {
  const { watch, socket, told, advance, startedAtMs } = createWatch()
  watch.watch(socket)
  await advance(3_000)
  assert.deepEqual(told, [`silent at ${startedAtMs + 1_000}`, `not accepted in 2000 ms at ${startedAtMs + 2_000}`])
})

test('what is accepted is waited for: silent a second later, over after the time of a handshake', async () => {
  const { watch, socket, told, advance, accept, startedAtMs } = createWatch({
    connectTimeoutMs: 2_000,
    handshakeTimeoutMs: 5_000,
  })
  watch.watch(socket)
  await advance(500)
  accept()
  await advance(6_000)
  assert.deepEqual(told, [`silent at ${startedAtMs + 1_500}`, `not set up in 5000 ms at ${startedAtMs + 5_500}`])
})

test('bytes count as progress, however few, and what was silent is heard again', async () => {
  const { watch, socket, told, advance, accept } = createWatch()
  watch.watch(socket)
  accept()
  for (let count = 0; count < 8; count += 1) {
    await advance(700)
    socket.bytesRead += 1
  }
  assert.deepEqual(told, [])
  await advance(1_250)
  assert.equal(told.length, 1)
  socket.bytesRead += 1
  await advance(250)
  assert.match(told[1] ?? '', /^heard at/)
  watch.stop()
  await advance(40_000)
  assert.equal(told.length, 2)
})

test('a password that does not come makes it silent, and no more: that has a time of its own', async () => {
  const { told, advance, startedAtMs } = createWatch()
  await advance(10_000)
  assert.deepEqual(told, [`silent at ${startedAtMs + 1_000}`])
})
