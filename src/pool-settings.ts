import { type PoolOptions, poolOrder, poolSettings } from '../db/index.ts'
import type { Reader } from './setting-reader.ts'
import type { SettingName } from './settings.ts'

/** The variable of each of the pool's settings. */
const variables = {
  size: 'POOL_SIZE',
  minIdle: 'POOL_MIN_IDLE',
  acquireTimeoutMs: 'POOL_ACQUIRE_TIMEOUT_MS',
  maxWaiting: 'POOL_MAX_WAITING',
  connectTimeoutMs: 'DB_CONNECT_TIMEOUT_MS',
  handshakeTimeoutMs: 'DB_HANDSHAKE_TIMEOUT_MS',
  passwordTimeoutMs: 'DB_PASSWORD_TIMEOUT_MS',
  resetTimeoutMs: 'DB_RESET_TIMEOUT_MS',
  validateAfterIdleMs: 'POOL_VALIDATE_AFTER_IDLE_MS',
  validationTimeoutMs: 'POOL_VALIDATION_TIMEOUT_MS',
  keepaliveMs: 'POOL_KEEPALIVE_MS',
  idleTimeoutMs: 'POOL_IDLE_TIMEOUT_MS',
  maxLifetimeMs: 'POOL_MAX_LIFETIME_MS',
  wedgedAfterMs: 'LIVEZ_WEDGED_MS',
} as const satisfies Record<keyof PoolOptions, SettingName>

/** The pool's settings, and what contradicts each other. A wait for a connection is as long as a request's unless set. */
export function readPool(reader: Reader, requestTimeoutMs: number): PoolOptions {
  const read = ({ name, default: fallback, max }: (typeof poolSettings)[number]) =>
    name === 'acquireTimeoutMs'
      ? (reader.optional(variables[name]) ?? Math.min(max, Math.max(fallback, requestTimeoutMs)))
      : reader.value(variables[name])
  const values = Object.fromEntries(poolSettings.map((setting) => [setting.name, read(setting)]))
  const pool = values as unknown as PoolOptions // fromEntries forgets the keys; the table has each of them
  for (const [lower, upper] of poolOrder) {
    if (!(pool[lower] > pool[upper])) continue
    const accepted = `at most ${variables[upper]} (${pool[upper]})`
    reader.problems.push({ name: variables[lower], accepted, got: String(pool[lower]) })
  }
  return pool
}
