import { hash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from './app-env.ts'
import type { Log } from './log.ts'
import { ProblemError } from './problem.ts'
import type { ReadTokens } from './write-tokens.ts'

export interface WriteAccessOptions {
  readonly readTokens: ReadTokens
  readonly log: Log
}

/** Lets only those write who have one of the tokens, as `Authorization: Bearer` (RFC 6750). */
export function requireWriteToken(options: WriteAccessOptions): MiddlewareHandler<AppEnv> {
  const currentTokens = keepLastGood(options)
  return async function requireWriteToken(c, next) {
    const tokens = currentTokens()
    if (tokens.length === 0) throw new ProblemError(403, 'Nobody may write here: WRITE_TOKENS is not set.')
    const given = bearerToken(c.req.header('Authorization'))
    if (given === undefined) {
      c.header('WWW-Authenticate', 'Bearer realm="still-here"')
      throw new ProblemError(401, 'Writing needs a token, as `Authorization: Bearer <token>`.')
    }
    if (!isAmong(given, tokens)) {
      c.header('WWW-Authenticate', 'Bearer realm="still-here", error="invalid_token"')
      throw new ProblemError(401, 'The token is not one that may write.')
    }
    c.set('writer', hash('sha256', given))
    await next()
  }
}

/** While the file of the tokens cannot be used, those stay valid that it had before; the log says so once. */
function keepLastGood({ readTokens, log }: WriteAccessOptions): ReadTokens {
  let last: readonly string[] = []
  let isBroken = false
  return () => {
    try {
      last = readTokens()
      isBroken = false
    } catch (error) {
      if (!isBroken) log.error({ err: error }, 'WRITE_TOKENS_FILE cannot be used: the tokens it had before stay valid')
      isBroken = true
    }
    return last
  }
}

function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1]
}

/** Takes the same time whatever is given: compares hashes, which all have one length, and all of them. */
function isAmong(given: string, tokens: readonly string[]): boolean {
  const digest = hash('sha256', given, 'buffer')
  return tokens.filter((token) => timingSafeEqual(digest, hash('sha256', token, 'buffer'))).length > 0
}
