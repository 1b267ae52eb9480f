import { isIPv6 } from 'node:net'
import { MAX_BATCH, type PoolOptions, poolSettings } from '../db/index.ts'
import { type DatabaseUrl, parseDatabaseUrl, type UrlFault } from './database-url.ts'
import { tlsModes } from './url-parameters.ts'

/** What is wrong with a setting. */
export interface SettingProblem {
  readonly name: string
  /** What would be accepted. */
  readonly accepted: string
  /** What was found; never a secret. */
  readonly got: string
}

/** A documented environment variable and how its text becomes a value. */
export interface Setting<Value> {
  readonly about: string
  /** What is accepted, in words. */
  readonly accepted: string
  /** The text that stands for an unset variable; absent: nothing does. */
  readonly fallback?: string
  readonly isSecret?: true
  /** Whether NAME_FILE may hold it instead. */
  readonly hasFile?: true
  /** Undefined for a text that is not accepted. */
  readonly parse: (text: string) => Value | undefined
  /** All that is wrong with a text that is not accepted. Absent: that it is not what is accepted. */
  readonly explain?: (text: string) => readonly UrlFault[]
}

const anyText = (text: string): string | undefined => text

function integer(minimum: number, maximum: number) {
  return {
    accepted: `an integer from ${minimum} to ${maximum}`,
    parse(text: string): number | undefined {
      if (!/^\d{1,9}$/.test(text)) return undefined
      const value = Number(text)
      return value >= minimum && value <= maximum ? value : undefined
    },
  }
}

function choice<const Choice extends string>(...choices: readonly Choice[]) {
  return {
    accepted: `one of ${choices.join(', ')}`,
    parse: (text: string): Choice | undefined => choices.find((candidate) => candidate === text),
  }
}

const poolSetting = Object.fromEntries(poolSettings.map((setting) => [setting.name, setting])) as Record<
  keyof PoolOptions,
  (typeof poolSettings)[number]
> // the table has each of them

function rangeOf(name: keyof PoolOptions) {
  return integer(poolSetting[name].min, poolSetting[name].max)
}

/** As the pool has it: its default and its range. */
function ofPool(name: keyof PoolOptions) {
  return { ...rangeOf(name), fallback: String(poolSetting[name].default) }
}

const hostName = {
  accepted: 'a name or an IP address',
  parse: (text: string): string | undefined => (isIPv6(text) || /^[\w.-]+$/.test(text) ? text : undefined),
}

/** Every setting there is: parsing and the README's table come from here. */
export const settings = {
  PORT: { about: 'Where to listen; 0 takes a free port.', ...integer(0, 65_535), fallback: '3000' },
  HOST: {
    about: 'The address to listen on; `127.0.0.1` with the throw-away database.',
    ...hostName,
    fallback: '0.0.0.0',
  },
  LOG_LEVEL: {
    about: 'The least that is logged.',
    ...choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    fallback: 'info',
  },
  REQUEST_TIMEOUT_MS: {
    about: 'Longest time from a request to its answer.',
    ...integer(100, 120_000),
    fallback: '5000',
  },
  POOL_SIZE: { about: 'Most database connections at once.', ...ofPool('size') },
  POOL_MIN_IDLE: { about: 'Idle connections kept however long nobody needs them.', ...ofPool('minIdle') },
  POOL_MAX_WAITING: {
    about: 'Most statements that wait for a connection; further ones are refused at once.',
    ...ofPool('maxWaiting'),
  },
  POOL_ACQUIRE_TIMEOUT_MS: {
    about: "Longest wait for a connection, where that is less than a request's time.",
    ...rangeOf('acquireTimeoutMs'),
  },
  POOL_VALIDATE_AFTER_IDLE_MS: {
    about: 'A connection idle for longer proves to be alive before use.',
    ...ofPool('validateAfterIdleMs'),
  },
  POOL_VALIDATION_TIMEOUT_MS: { about: "Longest wait for a ping's answer.", ...ofPool('validationTimeoutMs') },
  POOL_KEEPALIVE_MS: { about: 'Idle connections are pinged this often.', ...ofPool('keepaliveMs') },
  POOL_IDLE_TIMEOUT_MS: {
    about: 'Connections idle for longer are closed, down to `POOL_MIN_IDLE`.',
    ...ofPool('idleTimeoutMs'),
  },
  POOL_MAX_LIFETIME_MS: {
    about: 'Connections older than this, give or take 10 %, are replaced.',
    ...ofPool('maxLifetimeMs'),
  },
  PREPARED_STATEMENTS: {
    about: '`off` sends every statement as text, for proxies that cannot do better.',
    ...choice('on', 'off'),
    fallback: 'on',
  },
  ROW_LOCK_WAIT_SECONDS: {
    about: 'How long a write waits for a row that another transaction has; then 503, or 409 for an `Idempotency-Key`.',
    ...integer(1, 120),
    fallback: '1',
  },
  TABLE_LOCK_WAIT_SECONDS: {
    about: 'How long a statement waits for a table that is being altered, or locked.',
    ...integer(1, 120),
    fallback: '5',
  },
  STATEMENT_TIMEOUT_MS: {
    about: 'How long the server itself lets a statement run, on MySQL a SELECT only; 0: until the request ends.',
    ...integer(0, 120_000),
    fallback: '0',
  },
  LOOKUP_BATCH: {
    about: 'Most requests for cities, or for the same list, that share a round trip; 1: each has its own.',
    ...integer(1, MAX_BATCH),
    fallback: String(MAX_BATCH),
  },
  CONNECTION_STRATEGY: {
    about: '`per-request` opens and closes a connection for each use: slow, a yardstick.',
    ...choice('pooled', 'per-request'),
    fallback: 'pooled',
  },
  METRICS_PORT: {
    about: 'Where `/metrics` is, instead of on `PORT`; 0 takes a free port.',
    ...integer(0, 65_535),
  },
  READYZ_DATABASE: {
    about:
      'Whether `/readyz` fails while the database does not answer: `off` keeps every replica in traffic, to say 503.',
    ...choice('required', 'off'),
    fallback: 'required',
  },
  DRAIN_DELAY_MS: {
    about: 'From SIGTERM until no new connection is taken: load balancers need a while to notice.',
    ...integer(0, 600_000),
    fallback: '0',
  },
  LIVEZ_WEDGED_MS: {
    about: 'How long the pool must be stuck, with callers waiting, before `/livez` fails.',
    ...ofPool('wedgedAfterMs'),
  },
  STALL_LOG_MS: {
    about: 'An event loop stuck for so long has its stack logged; 0: never.',
    ...integer(0, 3_600_000),
    fallback: '5000',
  },
  STALL_EXIT_MS: {
    about: 'An event loop stuck for so long ends the process with SIGABRT; 0: never, for debuggers.',
    ...integer(0, 3_600_000),
    fallback: '30000',
  },
  WRITE_TOKENS: {
    about: 'Who may write; without it nobody may. From a file it is read again for each write.',
    accepted: 'tokens of letters, digits and `-._~+/=`, separated by commas',
    isSecret: true,
    hasFile: true,
    parse: parseTokens,
  },
  GIT_COMMIT: {
    about: 'What `/version` says of the source.',
    accepted: '7 to 64 hexadecimal digits',
    parse: (text: string): string | undefined => (/^[0-9a-f]{7,64}$/i.test(text) ? text : undefined),
  },
  DATABASE_URL: {
    about: 'The database, in one line; user, password and name percent-encoded.',
    accepted: '`mysql://user:password@host:port/name`, or with `?socket=/path` instead of host and port',
    isSecret: true,
    hasFile: true,
    parse: (text: string): DatabaseUrl | undefined => whenUrl(parseDatabaseUrl(text)),
    explain: (text: string): readonly UrlFault[] => whenFaults(parseDatabaseUrl(text)),
  },
  DB_HOST: { about: 'The database, in parts, instead of `DATABASE_URL`.', ...hostName, hasFile: true },
  DB_PORT: { about: '', ...integer(1, 65_535), fallback: '3306', hasFile: true },
  DB_SOCKET: {
    about: "The server's Unix socket, instead of `DB_HOST` and `DB_PORT`.",
    accepted: 'an absolute path',
    parse: (text: string): string | undefined => (text.startsWith('/') ? text : undefined),
  },
  DB_USER: { about: '', accepted: 'a text', hasFile: true, parse: anyText },
  DB_PASSWORD: {
    about: 'From a file it is read again for each new connection.',
    accepted: 'a text',
    isSecret: true,
    hasFile: true,
    parse: anyText,
  },
  DB_NAME: { about: 'The schema.', accepted: 'a text', hasFile: true, parse: anyText },
  DB_CONNECT_TIMEOUT_MS: {
    about: 'Longest wait until the database accepts a connection.',
    ...ofPool('connectTimeoutMs'),
  },
  DB_HANDSHAKE_TIMEOUT_MS: {
    about: 'Longest wait from then on, for greeting, TLS, login and session set-up.',
    ...ofPool('handshakeTimeoutMs'),
  },
  DB_PASSWORD_TIMEOUT_MS: { about: 'Longest wait for the password.', ...ofPool('passwordTimeoutMs') },
  DB_RESET_TIMEOUT_MS: {
    about: 'Longest wait for each answer when a session is reset for its next user.',
    ...ofPool('resetTimeoutMs'),
  },
  DB_TLS: {
    about:
      '`require` encrypts; `verify-ca` also checks the certificate; `verify-full` also that it names the host, or has its address.',
    ...choice(...tlsModes),
    fallback: 'off',
  },
  DB_TLS_CA_FILE: {
    about:
      'The authorities to trust, instead of the public ones; with `verify-ca` or `verify-full`. Read again, as the next two, for each new connection.',
    accepted: 'the path of a PEM file',
    parse: anyText,
  },
  DB_TLS_CERT_FILE: { about: "The client's certificate.", accepted: 'the path of a PEM file', parse: anyText },
  DB_TLS_KEY_FILE: { about: 'Its key.', accepted: 'the path of a PEM file', parse: anyText },
} as const satisfies Record<string, Setting<unknown>>

export type SettingName = keyof typeof settings

/** What can stand after `Bearer` (RFC 6750, 2.1). An empty file has none. */
function parseTokens(text: string): readonly string[] | undefined {
  if (text.trim() === '') return []
  const tokens = text.split(',').map((token) => token.trim())
  return tokens.every((token) => /^[\w.~+/-]+=*$/.test(token)) ? tokens : undefined
}

function whenUrl(parsed: DatabaseUrl | readonly UrlFault[]): DatabaseUrl | undefined {
  return 'host' in parsed ? parsed : undefined
}

function whenFaults(parsed: DatabaseUrl | readonly UrlFault[]): readonly UrlFault[] {
  return 'host' in parsed ? [] : parsed
}
