import type { Scope } from '../db/index.ts'

/** What middleware leaves for the handlers of a request. */
export interface AppEnv {
  Variables: {
    readonly requestId: string
    /** Its time; only on routes that use the database. */
    readonly scope: Scope
  }
}
