import type { Context, MiddlewareHandler } from 'hono'
import type { Database, Scope } from '../db/index.ts'
import type { AppEnv } from './app-env.ts'
import { badRequest } from './problem.ts'
import { requestHeader } from './request-header.ts'

/** The client closed its connection before it was answered. */
export class ClientLeftError extends Error {
  override readonly name = 'ClientLeftError'
}

export const REQUEST_TIMEOUT_HEADER = 'Request-Timeout'
const headerKey = REQUEST_TIMEOUT_HEADER.toLowerCase() as Lowercase<typeof REQUEST_TIMEOUT_HEADER>

/**
 * Gives a request its one deadline: every statement of it ends after `timeoutMs`, or sooner where the client asks for
 * less or leaves. Not hono/timeout: that one only races, and the handler runs on.
 */
export function deadline(
  database: Pick<Database, 'createScope' | 'runInScope'>,
  timeoutMs: number,
): MiddlewareHandler<AppEnv> {
  return async function deadline(c, next) {
    const scope = database.createScope(effectiveTimeoutMs(requestHeader(c, headerKey), timeoutMs))
    c.set('scope', scope)
    abortWhenClientLeaves(c, scope)
    try {
      await database.runInScope(scope, next)
    } finally {
      scope.end()
    }
  }
}

function abortWhenClientLeaves({ env, req }: Context<AppEnv>, scope: Scope): void {
  const leave = () => scope.abort(new ClientLeftError('the client closed the connection'))
  const outgoing = env?.outgoing
  if (outgoing) {
    // Not the Request's signal: node-server would make a whole Request for it.
    outgoing.on('close', () => {
      if (!outgoing.writableFinished) leave()
    })
  } else if (req.raw.signal.aborted) leave()
  else req.raw.signal.addEventListener('abort', leave, { once: true })
}

/** The client's `Request-Timeout` in seconds where it is less than ours; ours otherwise. */
export function effectiveTimeoutMs(header: string | undefined, timeoutMs: number): number {
  if (header === undefined) return timeoutMs
  const askedMs = /^\d{1,7}(\.\d{1,6})?$/.test(header) ? Math.floor(Number(header) * 1000) : 0
  if (askedMs < 1) {
    throw badRequest([{ header: REQUEST_TIMEOUT_HEADER, detail: 'must be seconds, 0.001 or more, such as 2 or 0.5' }])
  }
  return Math.min(askedMs, timeoutMs)
}
