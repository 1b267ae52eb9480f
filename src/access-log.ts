import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { Clock } from '../db/index.ts'
import type { AppEnv } from './app-env.ts'
import type { Log } from './log.ts'

/** One line a request. The route is its pattern, never the path: no value that a client sent is logged. */
export function accessLog(log: Log, clock: Clock): MiddlewareHandler<AppEnv> {
  return async function accessLog(c, next) {
    const startedAtMs = clock.now()
    await next()
    const line = {
      method: c.req.method,
      route: routePath(c),
      status: c.res.status,
      ms: Math.round((clock.now() - startedAtMs) * 100) / 100,
      requestId: c.get('requestId'),
    }
    // A kubelet asks every few seconds, for ever.
    if (c.req.header('User-Agent')?.startsWith('kube-probe/')) log.debug(line, 'request')
    else log.info(line, 'request')
  }
}
