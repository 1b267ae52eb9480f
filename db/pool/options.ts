/** The pool's settings. All times in ms. */
export interface PoolOptions {
  /** Most connections for callers at once. */
  readonly size: number
  /** Idle connections kept however long nobody needs them. */
  readonly minIdle: number
  /** Longest wait for a connection, queue, connect and validation included; a caller's own deadline may come sooner. */
  readonly acquireTimeoutMs: number
  /** Most callers that wait for a connection; further ones are refused at once. */
  readonly maxWaiting: number
  /** Longest wait until the server accepts a connection. A new attempt starts beside one that is silent for a second. */
  readonly connectTimeoutMs: number
  /** Longest wait from then on, for greeting, TLS, login and session set-up: servers count what is given up before. */
  readonly handshakeTimeoutMs: number
  /** Longest wait for the password. */
  readonly passwordTimeoutMs: number
  /** Longest wait for each of the two answers when a session is reset and set up again. */
  readonly resetTimeoutMs: number
  /** A connection idle for longer is pinged before a write; a read is sent at once, and moves when it is not answered. */
  readonly validateAfterIdleMs: number
  /** Longest wait for a ping's answer, or three round trips of the link if those take longer. */
  readonly validationTimeoutMs: number
  /** Idle connections are pinged this often. */
  readonly keepaliveMs: number
  /** Connections idle for longer are closed, down to `minIdle`. */
  readonly idleTimeoutMs: number
  /** Connections older than this, give or take 10 %, are replaced. */
  readonly maxLifetimeMs: number
  /** The pool counts as wedged when somebody waited for this long, and no connection changed hands. */
  readonly wedgedAfterMs: number
}

interface Setting {
  readonly name: keyof PoolOptions
  readonly unit: string
  readonly default: number
  readonly min: number
  readonly max: number
}

const HOUR = 3_600_000

/** Every setting with its unit, default and range: the one table that checks and documentation use. */
export const poolSettings: readonly Setting[] = [
  { name: 'size', unit: 'connections', default: 16, min: 1, max: 1000 },
  { name: 'minIdle', unit: 'connections', default: 1, min: 0, max: 1000 },
  { name: 'acquireTimeoutMs', unit: 'ms', default: 5000, min: 10, max: 60_000 },
  { name: 'maxWaiting', unit: 'callers', default: 10_000, min: 0, max: 1_000_000 },
  { name: 'connectTimeoutMs', unit: 'ms', default: 2000, min: 50, max: 30_000 },
  { name: 'handshakeTimeoutMs', unit: 'ms', default: 30_000, min: 50, max: 300_000 },
  { name: 'passwordTimeoutMs', unit: 'ms', default: 5000, min: 50, max: 60_000 },
  { name: 'resetTimeoutMs', unit: 'ms', default: 1000, min: 50, max: 30_000 },
  { name: 'validateAfterIdleMs', unit: 'ms', default: 500, min: 0, max: HOUR },
  { name: 'validationTimeoutMs', unit: 'ms', default: 250, min: 10, max: 10_000 },
  { name: 'keepaliveMs', unit: 'ms', default: 30_000, min: 100, max: HOUR },
  { name: 'idleTimeoutMs', unit: 'ms', default: 600_000, min: 100, max: 24 * HOUR },
  { name: 'maxLifetimeMs', unit: 'ms', default: 1_800_000, min: 100, max: 24 * HOUR },
  { name: 'wedgedAfterMs', unit: 'ms', default: 30_000, min: 1000, max: HOUR },
]

/** Settings that are out of range or contradict each other: all of them at once. */
export class PoolOptionsError extends Error {
  override readonly name = 'PoolOptionsError'
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(`bad pool settings:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
    this.faults = faults
  }
}

/** The defaults with what is given over them, checked together.
 * @throws PoolOptionsError
 */
export function resolvePoolOptions(given: Partial<PoolOptions> = {}): PoolOptions {
  const options = { ...defaultPoolOptions, ...definedOnly(given) }
  const faults = [...rangeFaults(options), ...contradictions(options)]
  if (faults.length > 0) throw new PoolOptionsError(faults)
  return Object.freeze(options)
}

const defaultPoolOptions = Object.fromEntries(
  poolSettings.map((setting) => [setting.name, setting.default]),
) as unknown as PoolOptions // fromEntries forgets the keys; the table has each of them, which a test checks

function definedOnly(given: Partial<PoolOptions>): Partial<PoolOptions> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function rangeFaults(options: PoolOptions): string[] {
  return poolSettings
    .filter(({ name, min, max }) => !(Number.isInteger(options[name]) && options[name] >= min && options[name] <= max))
    .map(({ name, min, max }) => `${name} must be an integer from ${min} to ${max}, got ${options[name]}`)
}

/** Pairs of which the first must be at most the second: it would have no effect otherwise. */
export const poolOrder: readonly (readonly [lower: keyof PoolOptions, upper: keyof PoolOptions])[] = [
  ['minIdle', 'size'],
  ['connectTimeoutMs', 'handshakeTimeoutMs'],
  ['validationTimeoutMs', 'acquireTimeoutMs'],
  ['keepaliveMs', 'idleTimeoutMs'],
  ['idleTimeoutMs', 'maxLifetimeMs'],
]

function contradictions(options: PoolOptions): string[] {
  return poolOrder
    .filter(([lower, upper]) => options[lower] > options[upper])
    .map(([lower, upper]) => `${lower} must be at most ${upper} (${options[upper]}), got ${options[lower]}`)
}
