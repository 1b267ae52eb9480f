/** Which server answered: the same error number means different things on each. */
export type Flavour = 'mysql' | 'mariadb'

/**
 * What is certain about a statement that failed.
 * - `notSent`: no server ever had the whole statement.
 * - `refused`: the server answered that it did not run it, and another connection or moment may do better.
 * - `rolledBack`: the server ran it and undid the whole transaction.
 * - `failed`: the server answered an error of the statement itself, which it undid; running it again would fail again.
 * - `unknown`: sent, and no answer; it may have run.
 * - `commitUnknown`: COMMIT was sent, and no answer.
 */
export type Outcome = 'notSent' | 'refused' | 'rolledBack' | 'failed' | 'unknown' | 'commitUnknown'

export interface Verdict {
  readonly outcome: Outcome
  /** Whether the session can be used on. */
  readonly isSessionUsable: boolean
  /** The server takes no writes or no statements now: a failover is under way. */
  readonly isWrongServer: boolean
}

/** What of a driver's error is looked at: never its text. */
export interface DriverError {
  readonly errno?: number | undefined
  readonly code?: string | undefined
  readonly syscall?: string | undefined
}

const KEEP = { isSessionUsable: true, isWrongServer: false } as const
const LEAVE = { isSessionUsable: false, isWrongServer: false } as const
// The session itself works on, for reads and to ask the server with; whoever moves away ends it.
const MOVE = { isSessionUsable: true, isWrongServer: true } as const

/** Server errors that are not simply the statement's own, by number. Sources: the manuals of both servers. */
const COMMON: ReadonlyMap<number, Verdict> = new Map<number, Verdict>([
  // The server is read-only, or not part of its cluster. (1290 has other causes too: the caller asks the server.)
  [1290, { outcome: 'refused', ...MOVE }], // ER_OPTION_PREVENTS_STATEMENT
  [1836, { outcome: 'refused', ...MOVE }], // ER_READ_ONLY_MODE
  [1792, { outcome: 'refused', ...MOVE }], // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
  [1047, { outcome: 'refused', ...MOVE }], // ER_UNKNOWN_COM_ERROR: Galera's "not yet prepared"
  // The whole transaction was rolled back.
  [1213, { outcome: 'rolledBack', ...KEEP }], // ER_LOCK_DEADLOCK
  [3101, { outcome: 'rolledBack', ...KEEP }], // ER_TRANSACTION_ROLLBACK_DURING_COMMIT
  // The session is ending; a statement that ran may have had an effect.
  [1053, { outcome: 'unknown', ...LEAVE }], // ER_SERVER_SHUTDOWN
  [1077, { outcome: 'unknown', ...LEAVE }], // ER_NORMAL_SHUTDOWN
  [1079, { outcome: 'unknown', ...LEAVE }], // ER_SHUTDOWN_COMPLETE
  [1080, { outcome: 'unknown', ...LEAVE }], // ER_FORCING_CLOSE
  [1152, { outcome: 'unknown', ...LEAVE }], // ER_ABORTING_CONNECTION
  [1184, { outcome: 'unknown', ...LEAVE }], // ER_NEW_ABORTING_CONNECTION
  [1158, { outcome: 'unknown', ...LEAVE }], // ER_NET_READ_ERROR
  [1159, { outcome: 'unknown', ...LEAVE }], // ER_NET_READ_INTERRUPTED
  [1160, { outcome: 'unknown', ...LEAVE }], // ER_NET_ERROR_ON_WRITE
  [1161, { outcome: 'unknown', ...LEAVE }], // ER_NET_WRITE_INTERRUPTED
  [1156, { outcome: 'unknown', ...LEAVE }], // ER_NET_PACKETS_OUT_OF_ORDER
  [1157, { outcome: 'unknown', ...LEAVE }], // ER_NET_UNCOMPRESS_ERROR
  [1180, { outcome: 'unknown', ...LEAVE }], // ER_ERROR_DURING_COMMIT
  [1181, { outcome: 'unknown', ...LEAVE }], // ER_ERROR_DURING_ROLLBACK
  [1317, { outcome: 'unknown', ...LEAVE }], // ER_QUERY_INTERRUPTED: by someone's KILL; certain only outside COMMIT
  [1153, { outcome: 'failed', ...LEAVE }], // ER_NET_PACKET_TOO_LARGE: the server may close
])

const BY_FLAVOUR: Readonly<Record<Flavour, ReadonlyMap<number, Verdict>>> = {
  // ER_CLIENT_INTERACTION_TIMEOUT: wait_timeout passed, the server stopped reading before this statement.
  mysql: new Map<number, Verdict>([[4031, { outcome: 'refused', ...LEAVE }]]),
  // ER_CONNECTION_KILLED: KILL, before or while the statement ran.
  mariadb: new Map<number, Verdict>([[1927, { outcome: 'unknown', ...LEAVE }]]),
}

const STATEMENT_FAILED: Verdict = { outcome: 'failed', ...KEEP }

/** What a failed statement means, once it was handed to the driver. Pure: looks at numbers and codes, never at texts. */
export function classifyStatementError(error: unknown, flavour: Flavour): Verdict {
  const { errno, code, syscall } = asDriverError(error)
  if (errno !== undefined && errno > 0 && syscall === undefined) {
    return BY_FLAVOUR[flavour].get(errno) ?? COMMON.get(errno) ?? STATEMENT_FAILED
  }
  // The kernel took no more bytes, so the last packet never left: no server can have run an incomplete statement.
  if (syscall === 'write' && code !== undefined) return { outcome: 'notSent', ...LEAVE }
  return { outcome: 'unknown', ...LEAVE }
}

/** How a failed attempt to connect is met: tried again, or told to every waiter at once. */
export type ConnectVerdict = 'transient' | 'full' | 'credentials' | 'permanent'

const CONNECT_VERDICTS: ReadonlyMap<number, ConnectVerdict> = new Map<number, ConnectVerdict>([
  [1040, 'full'], // ER_CON_COUNT_ERROR
  [1203, 'full'], // ER_TOO_MANY_USER_CONNECTIONS
  [1045, 'credentials'], // ER_ACCESS_DENIED_ERROR
  [1698, 'credentials'], // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  [1044, 'permanent'], // ER_DBACCESS_DENIED_ERROR
  [1049, 'permanent'], // ER_BAD_DB_ERROR
  [1129, 'permanent'], // ER_HOST_IS_BLOCKED
  [1130, 'permanent'], // ER_HOST_NOT_PRIVILEGED
  [1226, 'permanent'], // ER_USER_LIMIT_REACHED
  [1251, 'permanent'], // ER_NOT_SUPPORTED_AUTH_MODE
  [1524, 'permanent'], // ER_PLUGIN_IS_NOT_LOADED
  [1862, 'permanent'], // ER_MUST_CHANGE_PASSWORD_LOGIN
  [3118, 'permanent'], // ER_ACCOUNT_HAS_BEEN_LOCKED
  [4151, 'permanent'], // ER_ACCOUNT_HAS_BEEN_LOCKED on MariaDB
])

/** mysql2's and OpenSSL's codes for a TLS or authentication set-up that will fail the next time too. */
const PERMANENT_CODES = /^(HANDSHAKE_|AUTH_SWITCH_|ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

/** What a failed attempt to connect means. */
export function classifyConnectError(error: unknown): ConnectVerdict {
  const { errno, code } = asDriverError(error)
  if (errno !== undefined && errno > 0) return CONNECT_VERDICTS.get(errno) ?? 'transient'
  return code !== undefined && PERMANENT_CODES.test(code) ? 'permanent' : 'transient'
}

/** The fields of a driver's error that have the types they should have. */
export function asDriverError(error: unknown): DriverError {
  if (typeof error !== 'object' || error === null) return {}
  const { errno, code, syscall } = error as Record<string, unknown> // only read, each checked below
  return {
    errno: typeof errno === 'number' ? errno : undefined,
    code: typeof code === 'string' ? code : undefined,
    syscall: typeof syscall === 'string' ? syscall : undefined,
  }
}
