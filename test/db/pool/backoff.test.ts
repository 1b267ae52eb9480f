import assert from 'node:assert/strict'
import { test } from 'vitest'
import { connectPauseMs, jittered, replayPauseMs } from '../../../db/pool/backoff.ts'

const least = () => 0
const most = () => 1

test('while someone waits the longest pause doubles from 50 up to 400 ms', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 1_000].map((failures) => connectPauseMs(failures, true, most)),
    [50, 100, 200, 400, 400],
  )
  assert.equal(connectPauseMs(1, true, least), 25)
  assert.equal(connectPauseMs(1_000, true, least), 25)
})

test('when nobody waits the longest pause doubles up to 5 s', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 1_000].map((failures) => connectPauseMs(failures, false, most)),
    [400, 800, 1_600, 3_200, 5_000, 5_000],
  )
  assert.equal(connectPauseMs(1_000, false, least), 25)
})

test('a refused statement waits for anything from nothing to 20, 40, ... 400 ms', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 1_000].map((attempt) => replayPauseMs(attempt, most)),
    [20, 40, 80, 160, 320, 400, 400],
  )
  assert.equal(replayPauseMs(6, least), 0)
})

test('#40 lifetimes of connections opened together are spread over a fifth of the lifetime', () => {
  assert.equal(jittered(1_000, 0.1, least), 900)
  assert.equal(
    jittered(1_000, 0.1, () => 0.5),
    1_000,
  )
  assert.equal(jittered(1_000, 0.1, most), 1_100)
})
