import { isUtf8 } from 'node:buffer'
import type { z } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { AppEnv } from './app-env.ts'
import { ClientLeftError } from './deadline.ts'
import { type FieldError, ProblemError } from './problem.ts'
import { requestHeader } from './request-header.ts'

const MAX_BODY_BYTES = 16 * 1024

const limit = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: () => {
    throw new ProblemError(413, `The body has more than ${MAX_BODY_BYTES} bytes.`)
  },
})

/**
 * Reads a JSON body for the validators that follow: bounded in size, sent with a length or in chunks, and in time. It must
 * be UTF-8: read as text, wrong bytes would become U+FFFD, and a text be stored that nobody meant.
 */
export const readJsonBody: MiddlewareHandler<AppEnv> = async function readJsonBody(c, next) {
  let bytes = new ArrayBuffer(0)
  const read = async () => {
    bytes = await c.req.arrayBuffer()
  }
  // Where the length says enough, without the limit, which makes a web stream of Node's: that costs as much as a statement.
  await inTime(isShort(c) ? read() : limit(c, read), c)
  const type = requestHeader(c, 'content-type')
  // With neither type nor body the validator lists what is missing.
  if (type !== undefined || bytes.byteLength > 0) {
    if (!/^application\/json\s*(;|$)/i.test(type ?? '')) {
      throw new ProblemError(415, 'The body must be application/json.')
    }
    const text = isUtf8(bytes) ? new TextDecoder().decode(bytes) : undefined
    if (text === undefined || !isJson(text)) throw new ProblemError(400, 'The body is not JSON in UTF-8.')
    // For the validators, since Hono would make a Response of the bytes first. It keeps promises, whatever its type says.
    Object.assign(c.req.bodyCache, { text: Promise.resolve(text) })
  }
  await next()
}

/** Node reads no more than the length that a request names. */
function isShort(c: Context<AppEnv>): boolean {
  const length = requestHeader(c, 'content-length')
  return length !== undefined && requestHeader(c, 'transfer-encoding') === undefined && Number(length) <= MAX_BODY_BYTES
}

/** A body that is not here when the request's time is up is its sender's fault, not the database's. */
function inTime(reading: Promise<unknown>, c: Context<AppEnv>): Promise<void> {
  const scope = c.get('scope')
  return new Promise((resolve, reject) => {
    const onAbort = (reason: Error) => {
      if (reason instanceof ClientLeftError) return reject(reason)
      c.header('Connection', 'close') // what still comes is no next request
      reject(new ProblemError(408, 'The body did not come in time.'))
    }
    if (scope.reason) onAbort(scope.reason)
    scope.addListener(onAbort)
    reading
      .catch((error: unknown) => {
        throw error instanceof ProblemError ? error : new ProblemError(400, 'The body could not be read.')
      })
      .then(() => resolve(), reject)
      .finally(() => scope.removeListener(onAbort))
  })
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false // A SyntaxError is the answer.
  }
}

/** A 400 that lists each bad field of a body by its JSON Pointer (RFC 6901); never quotes a value. */
export function invalidBody({ issues }: z.ZodError): ProblemError {
  const errors = issues.flatMap((issue): FieldError[] => {
    if (issue.code !== 'unrecognized_keys') return [{ pointer: pointerOf(issue.path), detail: issue.message }]
    return issue.keys.map((key) => ({
      pointer: pointerOf([...issue.path, key.slice(0, 100)]),
      detail: 'is not a field of this body',
    }))
  })
  return new ProblemError(400, 'The body has fields that cannot be used; see "errors".', errors)
}

function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
