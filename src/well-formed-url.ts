import type { MiddlewareHandler } from 'hono'
import { ProblemError } from './problem.ts'

/**
 * Refuses a URL whose percent-encoding is not UTF-8 (`%zz`, `%FF`, lone surrogates). Hono would pass such parts on as
 * they are, and the answer would be about a text that nobody meant.
 */
export const wellFormedUrl: MiddlewareHandler = async function wellFormedUrl(c, next) {
  if (c.req.url.includes('%') && !isDecodable(c.req.url)) {
    throw new ProblemError(400, 'The percent-encoding of the URL is not valid UTF-8.')
  }
  await next()
}

// The whole URL at once: a sequence cannot reach across "/", "&" or "=", which are ASCII.
function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false // Only a URIError can come, and it is the answer.
  }
}
