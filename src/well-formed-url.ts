/**
 * Whether a URL's percent-encoding is UTF-8 (`%zz`, `%FF` and lone surrogates are not). Hono would pass such parts on as
 * they are, and the answer would be about a text that nobody meant.
 */
export function isWellFormedUrl(url: string): boolean {
  if (!url.includes('%')) return true
  try {
    // The whole URL at once: a sequence cannot reach across "/", "&" or "=", which are ASCII.
    decodeURIComponent(url)
    return true
  } catch {
    return false // Only a URIError can come, and it is the answer.
  }
}
