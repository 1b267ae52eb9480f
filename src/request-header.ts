import type { Context } from 'hono'
import type { AppEnv } from './app-env.ts'

/**
 * A header of the request; `name` in lower case. Read from Node's own request where there is one: Hono's way takes a copy of
 * all headers. Not for those that may come twice and be joined.
 */
export function requestHeader({ env, req }: Context<AppEnv>, name: Lowercase<string>): string | undefined {
  // Node joins what comes twice, all but `set-cookie`, which no request has.
  return env?.incoming ? (env.incoming.headers[name] as string | undefined) : req.header(name)
}
