import assert from 'node:assert/strict'
import { test } from 'vitest'
import { canBeServed, judgeIdle, judgeRelease, judgeUrgency, type ReleasedConnection } from '../../../db/pool/policy.ts'

test('an idle connection must prove itself from validateAfterIdleMs on, not a millisecond before', () => {
  const idle = { isSuspicious: false, canBeAskedAbout: true }
  assert.equal(judgeIdle({ ...idle, sinceAliveMs: 499 }, 500), 'use')
  assert.equal(judgeIdle({ ...idle, sinceAliveMs: 500 }, 500), 'watch')
})

test('a connection that its server cannot be asked about is pinged after a pause', () => {
  const idle = { isSuspicious: false, canBeAskedAbout: false }
  assert.equal(judgeIdle({ ...idle, sinceAliveMs: 499 }, 500), 'use')
  assert.equal(judgeIdle({ ...idle, sinceAliveMs: 500 }, 500), 'validate')
})

test('a suspicious connection is pinged however short it was idle', () => {
  assert.equal(judgeIdle({ sinceAliveMs: 0, isSuspicious: true, canBeAskedAbout: true }, 500), 'validate')
})

const clean: ReleasedConnection = {
  isDead: false,
  isBusy: false,
  isTransactionOpen: false,
  isDirty: false,
  retiredFor: undefined,
}

test('a clean connection is kept and a dirty one reset', () => {
  assert.deepEqual(judgeRelease(clean), { action: 'keep' })
  assert.deepEqual(judgeRelease({ ...clean, isDirty: true }), { action: 'reset' })
})

test('what cannot be used on is evicted for its own reason', () => {
  assert.deepEqual(judgeRelease({ ...clean, isDead: true }), { action: 'evict', reason: 'lost' })
  assert.deepEqual(judgeRelease({ ...clean, isDead: true, retiredFor: 'forgotten' }), {
    action: 'evict',
    reason: 'forgotten',
  })
  assert.deepEqual(judgeRelease({ ...clean, isTransactionOpen: true, isDirty: true }), {
    action: 'evict',
    reason: 'transactionOpen',
  })
  assert.deepEqual(judgeRelease({ ...clean, isDirty: true, retiredFor: 'maxLifetime' }), {
    action: 'evict',
    reason: 'maxLifetime',
  })
})

test('a running statement is stopped before anything else is decided, unless the connection is dead', () => {
  const busy = { ...clean, isBusy: true, isTransactionOpen: true, isDirty: true, retiredFor: 'maxLifetime' as const }
  assert.deepEqual(judgeRelease(busy), { action: 'stop' })
  assert.equal(judgeRelease({ ...busy, isDead: true }).action, 'evict')
})

test('a caller is let in while its turn and its own work fit into its time, with a margin of 15 %', () => {
  // 16 waiting on 8: two holds of 100 ms before its own, times 1.15.
  const queue = { waiting: 16, size: 8, medianHoldMs: 100 }
  assert.equal(canBeServed(queue, 344), false)
  assert.equal(canBeServed(queue, 345), true)
})

test('a caller with fewer waiting before it than there are connections is always let in', () => {
  assert.equal(canBeServed({ waiting: 7, size: 8, medianHoldMs: 10_000 }, 1), true)
  assert.equal(canBeServed({ waiting: 8, size: 8, medianHoldMs: 10_000 }, 1), false)
})

test('another connection is urgent when none serves the queue, or its first has waited for 100 ms', () => {
  assert.equal(judgeUrgency({ isWanted: true, serving: 0, waitedMs: 0 }), 'high')
  assert.equal(judgeUrgency({ isWanted: true, serving: 1, waitedMs: 99 }), 'normal')
  assert.equal(judgeUrgency({ isWanted: true, serving: 1, waitedMs: 100 }), 'high')
  assert.equal(judgeUrgency({ isWanted: false, serving: 0, waitedMs: 0 }), 'low')
})
