import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'vitest'
import { DeadlineExceededError } from '../../db/errors.ts'
import { Scope } from '../../db/scope.ts'
import { SignalScope } from '../../db/signal-scope.ts'
import { createManualClock } from '../src/manual-clock.ts'

test('ends at its deadline, not a millisecond before', () => {
  const clock = createManualClock()
  const scope = new Scope(clock, 300)
  const reasons: Error[] = []
  scope.addListener((reason) => reasons.push(reason))
  assert.equal(scope.deadlineAtMs, 300)
  clock.advance(299)
  assert.equal(reasons.length, 0)
  clock.advance(1)
  const [reason] = reasons
  assert.ok(reason instanceof DeadlineExceededError)
  assert.equal(reason.timeoutMs, 300)
  assert.equal(scope.reason, reason)
  assert.equal(reasons.length, 1)
})

test('the first reason stays, listeners hear it once, and no timer is left', () => {
  const clock = createManualClock()
  const scope = new Scope(clock, 300)
  const first = new Error('left')
  let heard = 0
  scope.addListener(() => {
    heard += 1
  })
  scope.abort(first)
  scope.abort(new Error('later'))
  clock.advance(300)
  assert.equal(scope.reason, first)
  assert.equal(heard, 1)
  assert.equal(clock.pending(), 0)
})

test('a listener that was removed, or whose scope has ended, hears nothing', () => {
  const scope = new Scope(createManualClock(), 300)
  const silent = () => assert.fail('heard')
  scope.addListener(silent)
  scope.removeListener(silent)
  scope.abort(new Error('left'))
  const clock = createManualClock()
  const ended = new Scope(clock, 300)
  ended.addListener(silent)
  ended.end()
  clock.advance(300)
  assert.equal(ended.reason, undefined)
  assert.equal(clock.pending(), 0)
})

test('without a deadline there is no timer', () => {
  const clock = createManualClock()
  const scope = new Scope(clock, Number.POSITIVE_INFINITY)
  assert.equal(scope.deadlineAtMs, Number.POSITIVE_INFINITY)
  assert.equal(clock.pending(), 0)
})

test('a scope of a signal ends with it, whatever it was aborted with, and takes its listener away at its own end', () => {
  const clock = createManualClock()
  const controller = new AbortController()
  const scope = new SignalScope(clock, controller.signal)
  const ended = new SignalScope(clock, controller.signal)
  ended.end()
  assert.equal(getEventListeners(controller.signal, 'abort').length, 1)
  const reason = new Error('left')
  controller.abort(reason)
  assert.equal(scope.reason, reason)
  assert.equal(ended.reason, undefined)
  for (const nothing of [null, 0, '']) {
    assert.equal(new SignalScope(clock, AbortSignal.abort(nothing)).reason?.name, 'AbortError')
  }
})
