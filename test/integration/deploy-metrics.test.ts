import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { migrateToLatest } from '../../db/migrator.ts'
import { deployFolder, manifestOf } from '../support/manifests.ts'
import { parsePromql } from '../support/promql.ts'
import { killSessions, lockTable } from '../support/server-faults.ts'
import { type Service, startService } from '../support/service.ts'
import { createTestSchema, type TestSchema } from '../support/test-database.ts'

/** What Prometheus adds to every series of the ServiceMonitor. */
const targetLabels = ['job', 'namespace', 'pod']
const TOKEN = 'test-token'

interface Rule {
  readonly alert: string
  readonly expr: string
}

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}

let schema: TestSchema
let service: Service
/** The labels of each series name that `/metrics` shows. */
let exposed: ReadonlyMap<string, ReadonlySet<string>>

beforeAll(async () => {
  schema = await createTestSchema()
  await migrateToLatest(schema.migrator, resolve(deployFolder, '../migrations'))
  service = await startService({
    database: schema.app,
    account: schema.app,
    environment: { WRITE_TOKENS: TOKEN, REQUEST_TIMEOUT_MS: '1000' },
  })
  await makeEverySeries()
  const response = await fetch(`${service.url}/metrics`)
  assert.equal(response.status, 200)
  exposed = parseExposition(await response.text())
})

afterAll(async () => {
  await service.stop()
  await schema.drop()
})

/** A labelled series is there only once something was counted: answers, failures, a lost connection. */
async function makeEverySeries(): Promise<void> {
  for (const path of ['/?city=London', '/readyz', '/healthz', '/cities/1'])
    await (await fetch(service.url + path)).text()
  await killSessions(schema, schema.app.user)
  await (await fetch(`${service.url}/cities/2`)).text()
  const lock = await lockTable(schema, `${schema.app.database}.city`)
  const failed = await fetch(`${service.url}/cities/3`)
  await lock.lift()
  assert.equal(failed.status, 504)
}

/** The text format 0.0.4. */
function parseExposition(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const line of text.split('\n')) {
    const [, name, labels = ''] = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? /.exec(line) ?? []
    if (name === undefined) continue
    const known = found.get(name) ?? new Set()
    for (const [, label = ''] of labels.matchAll(/(\w+)="(?:\\.|[^"\\])*"/g)) known.add(label)
    found.set(name, known)
  }
  return found
}

/** What an expression reads that `/metrics` does not show. */
function missing(expression: string): readonly string[] {
  const { selectors, groupings } = parsePromql(expression)
  const labelsOf = (metric: string) => [...(exposed.get(metric) ?? []), ...targetLabels]
  const all = selectors.flatMap(({ metric }) => labelsOf(metric))
  return [
    ...selectors.filter(({ metric }) => !exposed.has(metric)).map(({ metric }) => metric),
    ...selectors.flatMap(({ metric, labels }) =>
      labels.filter((label) => !labelsOf(metric).includes(label)).map((label) => `${metric}{${label}}`),
    ),
    ...groupings.filter((label) => !all.includes(label)).map((label) => `by (${label})`),
  ]
}

/** Metrics of these names are other services' too. */
function selectsOthers(expression: string): boolean {
  return parsePromql(expression).selectors.some(({ labels }) => !labels.includes('job'))
}

function assertRead(where: string, expression: string): void {
  assert.deepEqual(missing(expression), [], where)
  assert.ok(!selectsOthers(expression), `${where} reads other services' series too`)
}

test('every metric and label of an alert is one that the service exposes', () => {
  const rules: Rule[] = manifestOf('PrometheusRule').spec.groups.flatMap((group: { rules: Rule[] }) => group.rules)
  assert.ok(rules.length > 0)
  for (const { alert, expr } of rules) assertRead(alert, expr)
})

test('every metric and label of the dashboard is one that the service exposes', () => {
  const { panels }: { panels: Panel[] } = JSON.parse(
    readFileSync(join(deployFolder, 'monitoring/dashboard.json'), 'utf8'),
  )
  const read = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))
  assert.ok(read.length > 0)
  for (const { title, expr } of read) assertRead(title, expr)
})

test('a misspelt metric or label would be found', () => {
  assert.deepEqual(missing('sum by (poood) (rate(pool_evictd_total{reason="lost"}[5m])) + app_ready{reson="x"}'), [
    'pool_evictd_total',
    'pool_evictd_total{reason}',
    'app_ready{reson}',
    'by (poood)',
  ])
})
