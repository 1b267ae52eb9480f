import type { Log } from '../../src/log.ts'
import { describeError } from '../../src/log.ts'

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly [field: string]: unknown
}

/** Keeps lines as the real log would write them. */
export function createMemoryLog(): { readonly log: Log; readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  const at = (level: string) => (fields: object, message: string) => {
    const err = 'err' in fields ? { err: describeError(fields.err) } : {}
    lines.push({ level, message, ...fields, ...err })
  }
  return {
    lines,
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), fatal: at('fatal') },
  }
}
