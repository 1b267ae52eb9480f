import assert from 'node:assert/strict'
import { test } from 'vitest'
import { compareStacks, type Slice, summariseSlices } from '../../bench/summary.ts'

const slice = (stack: string, round: number, figures: Partial<Slice> = {}): Slice => ({
  ...{ stack, round, workload: 'seed', connections: 16, requestsPerSecond: 1000, p50Ms: 1, p99Ms: 2 },
  ...{ stackCpuMs: 0.1, memoryMb: 100, requests: 1000, errors: 0, errorText: '', ...figures },
})

test('slices of one stack under one load become one cell; requests and errors add up', () => {
  const cells = summariseSlices([
    slice('stock', 1, { requestsPerSecond: 900, errors: 1 }),
    slice('service', 1),
    slice('stock', 2, { requestsPerSecond: 1100 }),
    slice('stock', 1, { connections: 64 }),
  ])
  assert.deepEqual(
    cells.map(({ stack, connections, requests, errors }) => [stack, connections, requests, errors]),
    [
      ['stock', 16, 2000, 1],
      ['service', 16, 1000, 0],
      ['stock', 64, 1000, 0],
    ],
  )
  assert.equal(cells[0]?.figures.requestsPerSecond?.median, 1000)
})

test('a database on another machine has no CPU figure, rather than 0', () => {
  const [unknown] = summariseSlices([slice('stock', 1)])
  assert.equal(unknown?.figures.databaseCpuMs, undefined)
  const [known] = summariseSlices([slice('stock', 1, { databaseCpuMs: 0.05 })])
  assert.equal(known?.figures.databaseCpuMs?.median, 0.05)
})

test('a ratio is taken within each round, so that a slow round does not count', () => {
  const slices = [
    slice('service', 1, { requestsPerSecond: 2000 }),
    slice('stock', 1, { requestsPerSecond: 1000 }),
    slice('service', 2, { requestsPerSecond: 200 }),
    slice('stock', 2, { requestsPerSecond: 100 }),
    // Interrupted: without a counterpart.
    slice('service', 3, { requestsPerSecond: 5000 }),
  ]
  const comparison = {
    workload: 'seed',
    connections: 16,
    metric: 'requestsPerSecond',
    of: 'service',
    to: 'stock',
  } as const
  assert.deepEqual(compareStacks(slices, comparison), { count: 2, median: 2, min: 2, max: 2 })
  assert.equal(compareStacks(slices, { ...comparison, to: 'go' }), undefined)
})
