import assert from 'node:assert/strict'
import { test } from 'vitest'
import { type PoolMoment, WedgeWatch } from '../../../db/pool/wedge.ts'

const stuck = { waiting: 1, handovers: 7, isEveryHolderLate: true }

/** Looks every 250 ms, as upkeep does, until `untilMs`; says when a connection outside the pool was tried. */
function look(watch: WedgeWatch, untilMs: number, at: (nowMs: number) => Partial<PoolMoment> & { isOpen?: boolean }) {
  const triedAtMs: number[] = []
  let wedgedAtMs: number | undefined
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 250) {
    const { isOpen = true, ...moment } = at(nowMs)
    if (watch.observe({ nowMs, ...stuck, ...moment })) {
      triedAtMs.push(nowMs)
      watch.tried(nowMs, isOpen)
    }
    if (watch.isWedged) wedgedAtMs ??= nowMs
  }
  return { triedAtMs, wedgedAtMs, isWedged: watch.isWedged }
}

test('is wedged when nothing moves for 30 s and the database lets others in for 3 s', () => {
  const { triedAtMs, wedgedAtMs } = look(new WedgeWatch(30_000), 40_000, () => ({}))
  assert.equal(triedAtMs[0], 30_250) // the first look has nothing to compare with
  assert.equal(wedgedAtMs, 33_250)
})

test('nobody else is asked before the 30 s are over', () => {
  assert.deepEqual(look(new WedgeWatch(30_000), 30_000, () => ({})).triedAtMs, [])
})

test('one handover starts the time anew, and mends a wedged pool', () => {
  const watch = new WedgeWatch(30_000)
  const at = (nowMs: number) => ({ handovers: nowMs < 29_000 ? 7 : 8 })
  assert.equal(look(watch, 59_000, at).isWedged, false)
  assert.equal(look(watch, 40_000, () => ({})).isWedged, true)
  assert.equal(watch.observe({ nowMs: 40_250, ...stuck, handovers: 8 }), false)
  assert.equal(watch.isWedged, false)
})

test('a holder that has time left is at work, not stuck', () => {
  const at = (nowMs: number) => ({ isEveryHolderLate: nowMs !== 20_000 })
  assert.equal(look(new WedgeWatch(30_000), 50_000, at).isWedged, false)
  assert.equal(look(new WedgeWatch(30_000), 54_000, at).isWedged, true)
})

test('a second without anyone waiting is a pause between two callers, more is an idle pool', () => {
  const pause = (ms: number) => (nowMs: number) => ({ waiting: nowMs % 10_000 > 0 && nowMs % 10_000 <= ms ? 0 : 1 })
  assert.equal(look(new WedgeWatch(30_000), 60_000, pause(1000)).isWedged, true)
  assert.equal(look(new WedgeWatch(30_000), 60_000, pause(1250)).isWedged, false)
})

test('an outage is none, however long, nor are the seconds after it', () => {
  const watch = new WedgeWatch(30_000)
  assert.equal(look(watch, 600_000, () => ({ isOpen: false })).isWedged, false)
  const recovering = look(new WedgeWatch(30_000), 52_750, (nowMs) => ({ isOpen: nowMs >= 50_000 }))
  assert.equal(recovering.isWedged, false)
  assert.ok(recovering.triedAtMs.length > 10)
})
