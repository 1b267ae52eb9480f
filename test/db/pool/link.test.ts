import assert from 'node:assert/strict'
import { test } from 'vitest'
import { Link } from '../../../db/pool/link.ts'

function measured(...samples: readonly number[]): Link {
  const link = new Link()
  for (const ms of samples) link.record(ms, 0)
  return link
}

test('a bound is its fixed value or three round trips, whichever is longer', () => {
  assert.equal(measured().boundMs(250, 0), 250)
  assert.equal(measured(83).boundMs(250, 0), 250)
  assert.equal(measured(300).boundMs(250, 0), 900)
})

test('one slow round trip is believed at once, one quick one is not', () => {
  assert.equal(measured(1, 1, 1, 1, 300).roundTripMs(0), 300)
  assert.equal(measured(300, 300, 300, 300, 1).roundTripMs(0), 300)
  assert.equal(measured(300, 300, 1, 1, 1).roundTripMs(0), 1)
})

test('a round trip counts for a minute, the last one until another comes', () => {
  const link = measured(300, 300, 300)
  link.record(1, 60_000)
  assert.equal(link.roundTripMs(60_000), 300)
  assert.equal(link.roundTripMs(60_001), 1)
  assert.equal(link.roundTripMs(600_000), 1)
})

test('no link is taken for slower than a second a round trip', () => {
  assert.equal(measured(30_000).boundMs(250, 0), 3_000)
})

test('silence is patiently met while nobody is heard, and no longer than usual when somebody was', () => {
  const link = measured(1)
  assert.equal(link.patienceMs(250, 0, 250), 750)
  assert.equal(link.patienceMs(250, 0, 1_000), 0)
  link.record(1, 200)
  assert.equal(link.patienceMs(250, 200, 300), 900) // heard when it was sent, not since
  assert.equal(link.patienceMs(250, 199, 300), 149)
  assert.equal(link.patienceMs(250, 50, 300), 0)
})
