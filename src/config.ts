import { readFileSync } from 'node:fs'
import type { PoolOptions, SessionWaits } from '../db/index.ts'
import { type DatabaseSetting, readDatabase } from './database-settings.ts'
import { readPool } from './pool-settings.ts'
import type { DatabasePolicy } from './readiness.ts'
import { createReader, type Env, type ReadFile } from './setting-reader.ts'
import type { SettingProblem } from './settings.ts'
import { type ReadTokens, readWriteTokens } from './write-tokens.ts'

/** The service's settings, all of them checked. */
export interface Config {
  readonly host: string
  readonly port: number
  readonly logLevel: string
  readonly requestTimeoutMs: number
  readonly pool: PoolOptions
  readonly arePrepared: boolean
  readonly waits: Required<SessionWaits>
  readonly maxLookupBatch: number
  readonly connectionStrategy: 'pooled' | 'per-request'
  /** Absent: `/metrics` is on `port`. */
  readonly metricsPort?: number
  readonly readyzDatabase: DatabasePolicy
  readonly drainDelayMs: number
  readonly stallLogMs: number
  readonly stallExitMs: number
  /** Absent: `WRITE_TOKENS` is not set. */
  readonly writeTokens?: ReadTokens
  readonly commit?: string
  readonly database: DatabaseSetting
}

/** Settings that cannot be used: all of them at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly SettingProblem[]
  constructor(problems: readonly SettingProblem[]) {
    const lines = problems.map(({ name, accepted, got }) => `  ${name}: must be ${accepted}; got ${got}`)
    super(`${problems.length === 1 ? 'A setting is' : `${problems.length} settings are`} wrong:\n${lines.join('\n')}`)
    this.problems = problems
  }
}

/** Reads the settings. An empty text is an unset one. @throws {ConfigError} */
export function parseConfig(env: Env, readFile: ReadFile = (path) => readFileSync(path, 'utf8')): Config {
  const reader = createReader(env, readFile)
  const database = readDatabase(reader, env)
  const commit = reader.optional('GIT_COMMIT')
  const writeTokens = readWriteTokens(reader, env)
  const port = reader.value('PORT')
  const metricsPort = reader.optional('METRICS_PORT')
  if (port && metricsPort === port) {
    reader.problems.push({ name: 'METRICS_PORT', accepted: 'another port than PORT, or unset', got: String(port) })
  }
  const requestTimeoutMs = reader.value('REQUEST_TIMEOUT_MS')
  const config = {
    host: env.HOST || database.kind === 'configured' ? reader.value('HOST') : '127.0.0.1',
    port,
    logLevel: reader.value('LOG_LEVEL'),
    requestTimeoutMs,
    pool: readPool(reader, requestTimeoutMs),
    arePrepared: reader.value('PREPARED_STATEMENTS') === 'on',
    waits: {
      rowLockSeconds: reader.value('ROW_LOCK_WAIT_SECONDS'),
      tableLockSeconds: reader.value('TABLE_LOCK_WAIT_SECONDS'),
      statementMs: reader.value('STATEMENT_TIMEOUT_MS'),
    },
    maxLookupBatch: reader.value('LOOKUP_BATCH'),
    connectionStrategy: reader.value('CONNECTION_STRATEGY'),
    ...(metricsPort !== undefined && { metricsPort }),
    readyzDatabase: reader.value('READYZ_DATABASE'),
    drainDelayMs: reader.value('DRAIN_DELAY_MS'),
    stallLogMs: reader.value('STALL_LOG_MS'),
    stallExitMs: reader.value('STALL_EXIT_MS'),
    ...(writeTokens && { writeTokens }),
    ...(commit !== undefined && { commit }),
    database,
  }
  if (reader.problems.length > 0) throw new ConfigError(reader.problems)
  return Object.freeze(config)
}
