import assert from 'node:assert/strict'
import { test } from 'vitest'
import { logTicks, renderChart } from '../../bench/chart.ts'
import type { Cell } from '../../bench/summary.ts'

test('ticks are 1, 2 and 5 of each power of ten, both ends included', () => {
  assert.deepEqual(logTicks(200, 5000), [200, 500, 1000, 2000, 5000])
  assert.deepEqual(logTicks(0.06, 0.21), [0.1, 0.2])
})

test('a chart names the stacks that were measured and no others', async () => {
  const summary = { count: 1, median: 1000, min: 900, max: 1100 }
  const cell = { stack: 'stock', workload: 'seed', connections: 16, requests: 1, errors: 0 } as const
  const cells: readonly Cell[] = [{ ...cell, figures: { requestsPerSecond: summary, stackCpuMs: summary } }]
  const stacks = [
    { name: 'stock', title: 'Stock & co' },
    { name: 'go', title: 'Go' },
  ]
  const svg = await renderChart({ cells, stacks, title: 'GET /', theme: 'dark' })
  assert.ok(svg.startsWith('<svg') && svg.includes('>Stock &amp; co<'), svg)
  assert.ok(!svg.includes('>Go<'), svg)
})
