import type { TypedResponse } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { JSONParsed } from 'hono/utils/types'

export type JsonAnswer<Body, Status extends ContentfulStatusCode> = Response &
  TypedResponse<JSONParsed<Body>, Status, 'json'>

/**
 * A JSON answer with headers of its own. `c.json` with more than one header makes a `Headers` object, which costs 10 us;
 * a plain one goes to Node as it is.
 * @param text the body, as `JSON.stringify` has made it of a `Body`
 */
export function jsonAnswer<Body, Status extends ContentfulStatusCode>(
  text: string,
  status: Status,
  headers: Readonly<Record<string, string>>,
): JsonAnswer<Body, Status> {
  const answer = new Response(text, { status, headers: { 'Content-Type': 'application/json', ...headers } })
  return answer as JsonAnswer<Body, Status> // Hono's mark for its typed client, which is nothing at run time
}
