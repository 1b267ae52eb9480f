// What metrics cost a request: `node bench/metrics.ts`. One request is counted, one statement, one wait and one use.
import { createMetrics } from '../src/metrics/metrics.ts'

const ROUNDS = 5
const REQUESTS = 1_000_000

const { requests, uses } = createMetrics('sakila')
const routes = ['/', '/cities', '/cities/:cityId', '/countries', '/countries/:countryId', '/livez']

function count(index: number): void {
  requests.started('GET')
  uses.waited(0)
  const startedAtMs = performance.now()
  uses.ran({ flavour: 'mysql', kind: 'SelectQueryNode', ms: performance.now() - startedAtMs })
  uses.held(1 + (index % 8))
  const route = routes[index % routes.length] ?? '/'
  requests.ended({ method: 'GET', route, status: index % 50 === 0 ? 404 : 200, ms: 1 + (index % 8) })
}

/** What is read of the clock for metrics alone is part of it: twice for a statement. */
for (let round = 1; round <= ROUNDS; round += 1) {
  const startedAtMs = performance.now()
  for (let index = 0; index < REQUESTS; index += 1) count(index)
  const ns = ((performance.now() - startedAtMs) * 1e6) / REQUESTS
  console.info(`round ${round}: ${ns.toFixed(0)} ns a request`)
}
