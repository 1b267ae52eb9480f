import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parsePromql } from './promql.ts'

test('finds metrics, the labels that they are filtered by, and groupings', () => {
  const expression = `
    histogram_quantile(0.99, sum by (le, pod) (rate(a_bucket{job="x", path!~"/{b}|c"}[5m]))) > 1e3 # d
    unless on (pod) max(b{state='e f'} offset 1h) without (g) == 0 or absent(up)`
  assert.deepEqual(parsePromql(expression), {
    selectors: [
      { metric: 'a_bucket', labels: ['job', 'path'] },
      { metric: 'b', labels: ['state'] },
      { metric: 'up', labels: [] },
    ],
    groupings: ['le', 'pod', 'pod', 'g'],
  })
})

test('refuses what has characters that PromQL does not have', () => {
  assert.throws(() => parsePromql('up == 1; drop'), { message: 'not PromQL: ; drop' })
})
