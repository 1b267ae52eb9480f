import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createLifecycle } from '../../src/lifecycle.ts'
import { createManualClock } from './manual-clock.ts'
import { createMemoryLog } from './memory-log.ts'

function setUp() {
  const clock = createManualClock()
  const { log, lines } = createMemoryLog()
  const exits: number[] = []
  const lifecycle = createLifecycle({ clock, log, exit: (code) => void exits.push(code) })
  return { clock, lines, exits, lifecycle }
}

test('goes from starting to ready to draining to stopped', async () => {
  const { lifecycle, exits } = setUp()
  assert.equal(lifecycle.state().name, 'starting')
  lifecycle.ready()
  assert.equal(lifecycle.state().name, 'ready')
  const stopped = lifecycle.stop('SIGTERM', 0)
  assert.equal(lifecycle.state().name, 'draining')
  assert.equal(lifecycle.stopping.aborted, true)
  await stopped
  assert.equal(lifecycle.state().name, 'stopped')
  assert.deepEqual(exits, [0])
})

test('closes requests, then connections, then the database, one after the other, whatever the order of adding', async () => {
  const { lifecycle } = setUp()
  const events: string[] = []
  for (const stage of ['database', 'requests', 'connections'] as const) {
    lifecycle.onStop(stage, async () => {
      events.push(`${stage} begins`)
      await Promise.resolve()
      events.push(`${stage} ends`)
    })
  }
  await lifecycle.stop('SIGTERM', 0)
  assert.deepEqual(events, [
    'requests begins',
    'requests ends',
    'connections begins',
    'connections ends',
    'database begins',
    'database ends',
  ])
})

test('a stage that cannot be closed is logged and keeps nothing else open', async () => {
  const { lifecycle, lines, exits } = setUp()
  const closed: string[] = []
  lifecycle.onStop('connections', async () => Promise.reject(new Error('stuck')))
  lifecycle.onStop('database', async () => void closed.push('database'))
  await lifecycle.stop('SIGTERM', 0)
  assert.deepEqual(closed, ['database'])
  assert.deepEqual(exits, [0])
  assert.deepEqual(
    lines.filter(({ level }) => level === 'error').map(({ stage }) => stage),
    ['connections'],
  )
})

test('stops once: later calls get the same promise, and the first exit code counts', async () => {
  const { lifecycle, exits } = setUp()
  const first = lifecycle.stop('uncaughtException', 1)
  assert.equal(lifecycle.stop('SIGTERM', 0), first)
  await first
  assert.deepEqual(exits, [1])
})

test('a service that is being stopped does not become ready any more', async () => {
  const { lifecycle } = setUp()
  await lifecycle.stop('SIGTERM', 0)
  lifecycle.ready()
  assert.equal(lifecycle.state().name, 'stopped')
})

test('a second signal within 500 ms is the first one again; at 500 ms it exits 1 at once', () => {
  const { lifecycle, clock, exits } = setUp()
  lifecycle.onStop('requests', () => new Promise(() => {}))
  lifecycle.signal('SIGINT')
  lifecycle.signal('SIGINT')
  clock.advance(499)
  lifecycle.signal('SIGINT')
  assert.deepEqual(exits, [])
  clock.advance(1)
  lifecycle.signal('SIGINT')
  assert.deepEqual(exits, [1])
})
