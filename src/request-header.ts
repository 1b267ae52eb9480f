import type { Context } from 'hono'
import type { AppEnv } from './app-env.ts'

/**
 * A header of the request; `name` in lower case. Read from Node's own request where there is one: Hono's way takes a copy of
 * all headers. What comes twice is joined, or counts once where one is all there may be (Content-Type, User-Agent).
 */
export function requestHeader({ env, req }: Context<AppEnv>, name: Lowercase<string>): string | undefined {
  // An array is only `set-cookie`, which no request has.
  return env?.incoming ? (env.incoming.headers[name] as string | undefined) : req.header(name)
}
