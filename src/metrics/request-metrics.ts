import { Gauge, type Registry } from 'prom-client'
import { Histogram, type Series } from './histogram.ts'

/** A request that was answered. */
interface AnsweredRequest {
  readonly method: string
  /** The route's pattern, never the path. */
  readonly route: string
  readonly status: number
  readonly ms: number
}

/** Told of every request. */
export interface RequestObserver {
  started(method: string): void
  ended(request: AnsweredRequest): void
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']
const OTHER = '_OTHER'
/** Ours; who ends TLS knows better. */
const SCHEME = { url_scheme: 'http' }

/** What OpenTelemetry wants to know of an HTTP server. */
export function createRequestMetrics(registry: Registry): RequestObserver {
  const durations = new Histogram(registry, {
    name: 'http_server_request_duration_seconds',
    help: 'Time from a request to its answer, by the pattern of its route.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  })
  const active = new Map([...METHODS, OTHER].map((method) => [method, 0]))
  new Gauge({
    name: 'http_server_active_requests',
    help: 'Requests that are not answered yet.',
    labelNames: ['http_request_method', 'url_scheme'],
    registers: [registry],
    collect() {
      for (const [method, count] of active) this.set({ http_request_method: method, ...SCHEME }, count)
    },
  })
  // Each key is of a small known set, so this cannot grow: methods, routes, statuses.
  const byMethod = new Map<string, Map<string, Map<number, Series>>>()

  const known = (method: string) => (active.has(method) ? method : OTHER)
  const count = (method: string, change: number) => void active.set(method, (active.get(method) ?? 0) + change)

  function addSeries(method: string, route: string, status: number): Series {
    const byRoute = byMethod.get(method) ?? new Map<string, Map<number, Series>>()
    byMethod.set(method, byRoute)
    const byStatus = byRoute.get(route) ?? new Map<number, Series>()
    byRoute.set(route, byStatus)
    const series = durations.addSeries({
      http_request_method: method,
      http_response_status_code: String(status),
      http_route: route,
      ...SCHEME,
      error_type: status >= 500 ? String(status) : '',
    })
    byStatus.set(status, series)
    return series
  }

  return {
    started: (method) => count(known(method), 1),
    ended({ method: given, route, status, ms }) {
      const method = known(given)
      count(method, -1)
      const series = byMethod.get(method)?.get(route)?.get(status) ?? addSeries(method, route, status)
      series.observe(ms / 1000)
    },
  }
}
