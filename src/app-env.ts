import type { Scope } from '../db/index.ts'
import type { TraceContext } from './trace-context.ts'

/** What middleware leaves for the handlers of a request. */
export interface AppEnv {
  Variables: {
    readonly requestId: string
    /** Of a client that traces. */
    readonly trace?: TraceContext
    /** Its time; only on routes that use the database. */
    readonly scope: Scope
  }
}
