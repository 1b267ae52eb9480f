import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { Clock } from '../db/index.ts'
import type { AppEnv } from './app-env.ts'
import type { Log } from './log.ts'
import type { RequestObserver } from './metrics/request-metrics.ts'
import { parseTraceparent } from './trace-context.ts'

export interface AccessLogDeps {
  readonly log: Log
  readonly clock: Clock
  readonly requests: RequestObserver
}

/** One line a request, and one count. The route is its pattern, never the path: no value that a client sent is kept. */
export function accessLog({ log, clock, requests }: AccessLogDeps): MiddlewareHandler<AppEnv> {
  return async function accessLog(c, next) {
    const startedAtMs = clock.now()
    const { method } = c.req
    const trace = parseTraceparent(c.req.header('traceparent'))
    if (trace) c.set('trace', trace)
    requests.started(method)
    await next()
    const ms = clock.now() - startedAtMs
    const route = routePath(c)
    const { status } = c.res
    requests.ended({ method, route, status, ms })
    const rounded = Math.round(ms * 100) / 100
    const line = { method, route, status, ms: rounded, requestId: c.get('requestId'), ...trace }
    // They ask every few seconds, for ever.
    if (isMachine(c.req.header('User-Agent'))) log.debug(line, 'request')
    else log.info(line, 'request')
  }
}

function isMachine(userAgent = ''): boolean {
  return userAgent.startsWith('kube-probe/') || userAgent.startsWith('Prometheus/')
}
