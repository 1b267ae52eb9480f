import { NoLocalDatabaseError } from '../db/local/errors.ts'
import { ConfigError } from './config.ts'
import { ListenError } from './http-server.ts'

/** How a process that could not start ends. */
export interface ExitStatus {
  readonly code: number
  /** For a person, on standard error; absent: the log has the error with its stack. */
  readonly text?: string
}

/** Codes as in sysexits.h: 78 EX_CONFIG, 69 EX_UNAVAILABLE. */
export function exitStatusOf(error: unknown): ExitStatus {
  if (error instanceof ConfigError) return { code: 78, text: error.message }
  if (error instanceof NoLocalDatabaseError) return { code: 69, text: error.message }
  if (error instanceof ListenError) return { code: 1, text: error.message }
  return { code: 1 }
}
