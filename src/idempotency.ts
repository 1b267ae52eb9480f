import { hash, randomUUID } from 'node:crypto'
import type { Context, MiddlewareHandler } from 'hono'
import type { KeyedWrite } from '../db/index.ts'
import type { AppEnv } from './app-env.ts'
import { badRequest } from './problem.ts'

export const IDEMPOTENCY_KEY_HEADER = 'Idempotency-Key'
export const REPLAYED_HEADER = 'Idempotency-Replayed'

/** Reads the request's key, or makes one: so every write can be repeated when its outcome is unknown. */
export const readIdempotencyKey: MiddlewareHandler<AppEnv> = async function readIdempotencyKey(c, next) {
  const given = c.req.header(IDEMPOTENCY_KEY_HEADER)
  if (given !== undefined && !/^[\x21-\x7e]{1,255}$/.test(given)) {
    throw badRequest([{ header: IDEMPOTENCY_KEY_HEADER, detail: 'must be 1 to 255 visible ASCII characters' }])
  }
  c.set('idempotencyKey', given ?? randomUUID())
  await next()
}

/** The write that this request asks for: its key belongs to one token and one route, and to this path, condition and body. */
export function keyedWriteOf(c: Context<AppEnv>, body?: unknown): KeyedWrite {
  const { method, path, routePath } = c.req
  return {
    keyHash: digest([c.get('writer'), method, routePath, c.get('idempotencyKey')]),
    requestHash: digest([path, c.req.header('If-Match'), body]),
  }
}

/** JSON, so that no two lists make the same text. */
function digest(parts: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(parts))
}
