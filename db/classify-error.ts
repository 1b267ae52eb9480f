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

/**
 * Server errors of a login and of session set-up, by number, with the name that both servers' manuals give them: the
 * driver's names are MySQL's, and the number of MariaDB's locked account is another error there. No number of a login means
 * two things on the two servers. Those that are not here are transient.
 */
const CONNECT_ERRORS: ReadonlyMap<number, readonly [name: string, verdict: ConnectVerdict]> = new Map([
  [1040, ['ER_CON_COUNT_ERROR', 'full']],
  [1203, ['ER_TOO_MANY_USER_CONNECTIONS', 'full']],
  [1226, ['ER_USER_LIMIT_REACHED', 'full']], // connections at a time, or anything per hour: time mends it
  [1045, ['ER_ACCESS_DENIED_ERROR', 'credentials']], // also an account that requires TLS
  [1698, ['ER_ACCESS_DENIED_NO_PASSWORD_ERROR', 'credentials']],
  [3955, ['ER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK', 'credentials']], // MySQL: FAILED_LOGIN_ATTEMPTS
  [4150, ['ER_USER_IS_BLOCKED', 'credentials']], // MariaDB: max_password_errors
  [1044, ['ER_DBACCESS_DENIED_ERROR', 'permanent']],
  [1049, ['ER_BAD_DB_ERROR', 'permanent']],
  [1129, ['ER_HOST_IS_BLOCKED', 'permanent']],
  [1130, ['ER_HOST_NOT_PRIVILEGED', 'permanent']],
  [1251, ['ER_NOT_SUPPORTED_AUTH_MODE', 'permanent']],
  [1275, ['ER_SERVER_IS_IN_SECURE_AUTH_MODE', 'permanent']],
  [1524, ['ER_PLUGIN_IS_NOT_LOADED', 'permanent']],
  [1820, ['ER_MUST_CHANGE_PASSWORD', 'permanent']], // MariaDB lets an expired password in, and then refuses statements
  [1862, ['ER_MUST_CHANGE_PASSWORD_LOGIN', 'permanent']],
  [3118, ['ER_ACCOUNT_HAS_BEEN_LOCKED', 'permanent']],
  [4151, ['ER_ACCOUNT_HAS_BEEN_LOCKED', 'permanent']],
  [3159, ['ER_SECURE_TRANSPORT_REQUIRED', 'permanent']],
  // Set-up itself is refused: by a proxy, or by something that only looks like these servers.
  [1064, ['ER_PARSE_ERROR', 'permanent']],
  [1142, ['ER_TABLEACCESS_DENIED_ERROR', 'permanent']],
  [1193, ['ER_UNKNOWN_SYSTEM_VARIABLE', 'permanent']],
  [1227, ['ER_SPECIFIC_ACCESS_DENIED_ERROR', 'permanent']],
  [1231, ['ER_WRONG_VALUE_FOR_VAR', 'permanent']],
])

/** mysql2's, OpenSSL's and our own codes for a set-up of TLS or authentication that will fail the next time too. */
const PERMANENT_CODES =
  /^(HANDSHAKE_|AUTH_SWITCH_|MYSQL_CLEAR_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERROR_IN_CERT_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_)/

/** What a failed attempt to connect means. */
export function classifyConnectError(error: unknown): ConnectVerdict {
  const { errno, code } = asDriverError(error)
  if (errno !== undefined && errno > 0) return CONNECT_ERRORS.get(errno)?.[1] ?? 'transient'
  return code !== undefined && PERMANENT_CODES.test(code) ? 'permanent' : 'transient'
}

/** From here on the two servers give the same number to different errors, and the driver knows only MySQL's. */
const FIRST_DISPUTED_ERRNO = 4000

/** A failed attempt to connect in one word: the server's, the system's or the driver's code, else the error's class. */
export function nameConnectError(error: unknown): string {
  const { errno, code } = asDriverError(error)
  const fallback = error instanceof Error ? error.name : 'UNKNOWN'
  if (errno === undefined || errno <= 0) return code ?? fallback
  return CONNECT_ERRORS.get(errno)?.[0] ?? ((errno < FIRST_DISPUTED_ERRNO && code) || `ERRNO_${errno}`)
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
