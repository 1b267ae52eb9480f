import { pino } from 'pino'
import { isDatabaseError, operatorMessageOf } from '../db/index.ts'

/** What the service needs of a logger; pino's has it. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  fatal(fields: object, message: string): void
}

/** JSON lines on standard output. */
export function createLog(level: string): Log {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError },
  })
}

/** What the log may say of an error. A driver's carries the SQL with its values, and its message may quote them. */
export function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error }
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) }
  if (isDatabaseError(error)) {
    // No stack: in an outage every request has one, and they are all the same.
    const { code, errno, sqlState } = error as { code?: unknown; errno?: unknown; sqlState?: unknown }
    const isDriverError = 'errno' in error || 'fatal' in error || 'code' in error
    const message = isDriverError ? operatorMessageOf(error) : error.message
    return {
      type: error.name,
      ...(isDriverError && { code, errno, sqlState }),
      ...(message !== undefined && { message }),
      ...cause,
    }
  }
  return { type: error.name, message: error.message, stack: error.stack, ...cause }
}
