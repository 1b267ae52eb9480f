import type { IncomingMessage } from 'node:http'
import type { Scope } from '../db/index.ts'
import type { Answer } from './answer.ts'
import type { TraceContext } from './trace-context.ts'

/** What middleware leaves for the handlers of a request. */
export interface AppEnv {
  /** Node's own request and response; `app.request()` has none. */
  Bindings: { readonly incoming?: IncomingMessage; readonly outgoing?: Answer }
  Variables: {
    readonly requestId: string
    /** Of a client that traces. */
    readonly trace?: TraceContext
    /** Its time; only on routes that use the database. */
    readonly scope: Scope
    /** SHA-256 of the token that may write; only on routes that ask for one. */
    readonly writer: string
    /** The client's, or one that was made for it; only on routes that write. */
    readonly idempotencyKey: string | undefined
  }
}
