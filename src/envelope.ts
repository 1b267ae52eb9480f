import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { Clock } from '../db/index.ts'
import { commonHeaders } from './answer.ts'
import type { AppEnv } from './app-env.ts'
import { answerError } from './http-errors.ts'
import type { Log } from './log.ts'
import type { RequestObserver } from './metrics/request-metrics.ts'
import { ProblemError } from './problem.ts'
import { requestHeader } from './request-header.ts'
import { parseTraceparent } from './trace-context.ts'
import { isWellFormedUrl } from './well-formed-url.ts'

export interface EnvelopeDeps {
  readonly log: Log
  readonly clock: Clock
  readonly requests: RequestObserver
}

/**
 * What every request gets, whatever its route: an id, the headers that all answers have, one line in the log and one
 * count. One middleware, since each costs every request its promises. Refuses a URL that cannot be read.
 */
export function envelope({ log, clock, requests }: EnvelopeDeps): MiddlewareHandler<AppEnv> {
  return async function envelope(c, next) {
    const startedAtMs = clock.now()
    const { method } = c.req
    const requestId = usableId(requestHeader(c, 'x-request-id')) ?? crypto.randomUUID()
    const trace = parseTraceparent(requestHeader(c, 'traceparent'))
    c.set('requestId', requestId)
    if (trace) c.set('trace', trace)
    const headers = commonHeaders(requestId)
    if (c.env?.outgoing) c.env.outgoing.common = headers
    requests.started(method)
    if (isWellFormedUrl(c.req.url)) await next()
    else c.res = answerError(new ProblemError(400, 'The percent-encoding of the URL is not valid UTF-8.'), c, log)
    // Without Node's own response; with it this would make a `Headers` object for each answer, which costs 10 us.
    if (!c.env?.outgoing) for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value)
    const ms = clock.now() - startedAtMs
    // Its pattern, never the path: no value that a client sent is kept.
    const route = routePath(c)
    const { status } = c.res
    requests.ended({ method, route, status, ms })
    const line = { method, route, status, ms: Math.round(ms * 100) / 100, requestId, ...trace }
    // They ask every few seconds, for ever.
    if (isMachine(requestHeader(c, 'user-agent'))) log.debug(line, 'request')
    else log.info(line, 'request')
  }
}

/** A client's own id is kept where it cannot do harm in a log or a header. */
function usableId(given: string | undefined): string | undefined {
  return given !== undefined && /^[\w\-=]{1,255}$/.test(given) ? given : undefined
}

function isMachine(userAgent = ''): boolean {
  return userAgent.startsWith('kube-probe/') || userAgent.startsWith('Prometheus/')
}
