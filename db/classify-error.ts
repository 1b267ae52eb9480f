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
  /** What is left of the transaction that it was in: it goes on, it is over, or the server is to be asked. */
  readonly transaction: 'kept' | 'lost' | 'asked'
}

/** What of a driver's error is looked at: never its text. */
export interface DriverError {
  readonly errno?: number | undefined
  readonly code?: string | undefined
  readonly syscall?: string | undefined
}

/** The statement failed, as running it again would; what is left of its transaction is asked where there is one. */
const FAILED: Verdict = { outcome: 'failed', isSessionUsable: true, isWrongServer: false, transaction: 'asked' }
/** The statement alone failed: its transaction goes on. */
const STATEMENT: Verdict = { ...FAILED, transaction: 'kept' }
/** The server undid the whole transaction; where it has not, we do, since nothing of it runs any more. */
const ROLLED_BACK: Verdict = { ...FAILED, outcome: 'rolledBack', transaction: 'lost' }
/** The session is ending; a statement that ran may have had an effect. */
const LEAVING: Verdict = { outcome: 'unknown', isSessionUsable: false, isWrongServer: false, transaction: 'lost' }
/** Read-only, or not part of its cluster. The session works on, to ask the server with; moving away ends it. */
const WRONG_SERVER: Verdict = { ...FAILED, outcome: 'refused', isWrongServer: true, transaction: 'kept' }

type Row = readonly [errno: number, name: string, means: Verdict, on?: Flavour]

/**
 * The server's errors that are not simply the statement's own, or are it for certain, of MariaDB 10.11 to 12 and MySQL
 * 8.4 to 9.7, from their sources and manuals. What is not here is the statement's own, and says nothing about a transaction.
 *
 * Deliberately not here: 1205 (it ends a transaction with innodb_rollback_on_timeout, but not when a metadata lock was
 * waited for), 1317 (KILL QUERY), 1969 and 3024 (time limits), 1197 (binary log cache full), 1689, 3058, 3572, 1614, 1613
 * and 1402 (XA), 1030, 1296 and other engines' errors: whether the transaction goes on is asked, and then known.
 */
const ROWS: readonly Row[] = [
  [1213, 'ER_LOCK_DEADLOCK', ROLLED_BACK], // Galera: an applier aborted it, or certification failed
  [1206, 'ER_LOCK_TABLE_FULL', ROLLED_BACK],
  [1020, 'ER_CHECKREAD', ROLLED_BACK, 'mariadb'], // innodb_snapshot_isolation: the row is newer than the snapshot
  [3101, 'ER_TRANSACTION_ROLLBACK_DURING_COMMIT', ROLLED_BACK, 'mysql'],
  [3100, 'ER_RUN_HOOK_ERROR', { ...ROLLED_BACK, isWrongServer: true }, 'mysql'], // Group Replication: not in its group
  // 1290 has other causes, too: the server is asked.
  [1290, 'ER_OPTION_PREVENTS_STATEMENT', WRONG_SERVER],
  [1836, 'ER_READ_ONLY_MODE', WRONG_SERVER],
  [1792, 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION', WRONG_SERVER],
  [1047, 'ER_UNKNOWN_COM_ERROR', WRONG_SERVER], // Galera: not yet prepared
  [4031, 'ER_CLIENT_INTERACTION_TIMEOUT', { ...LEAVING, outcome: 'refused' }, 'mysql'], // wait_timeout, before it was read
  [1927, 'ER_CONNECTION_KILLED', LEAVING, 'mariadb'], // before or while it ran
  [1053, 'ER_SERVER_SHUTDOWN', LEAVING],
  [1077, 'ER_NORMAL_SHUTDOWN', LEAVING],
  [1079, 'ER_SHUTDOWN_COMPLETE', LEAVING],
  [1080, 'ER_FORCING_CLOSE', LEAVING],
  [1152, 'ER_ABORTING_CONNECTION', LEAVING],
  [1184, 'ER_NEW_ABORTING_CONNECTION', LEAVING],
  [1158, 'ER_NET_READ_ERROR', LEAVING],
  [1159, 'ER_NET_READ_INTERRUPTED', LEAVING],
  [1160, 'ER_NET_ERROR_ON_WRITE', LEAVING],
  [1161, 'ER_NET_WRITE_INTERRUPTED', LEAVING],
  [1156, 'ER_NET_PACKETS_OUT_OF_ORDER', LEAVING],
  [1157, 'ER_NET_UNCOMPRESS_ERROR', LEAVING],
  [1180, 'ER_ERROR_DURING_COMMIT', LEAVING],
  [1181, 'ER_ERROR_DURING_ROLLBACK', LEAVING],
  [1153, 'ER_NET_PACKET_TOO_LARGE', { ...LEAVING, outcome: 'failed' }], // the server may close
  // Told of a row or a value, or before anything ran: a round trip to ask would learn nothing.
  [1062, 'ER_DUP_ENTRY', STATEMENT],
  [1586, 'ER_DUP_ENTRY_WITH_KEY_NAME', STATEMENT],
  [1451, 'ER_ROW_IS_REFERENCED_2', STATEMENT],
  [1452, 'ER_NO_REFERENCED_ROW_2', STATEMENT],
  [1048, 'ER_BAD_NULL_ERROR', STATEMENT],
  [1364, 'ER_NO_DEFAULT_FOR_FIELD', STATEMENT],
  [1264, 'ER_WARN_DATA_OUT_OF_RANGE', STATEMENT],
  [1265, 'WARN_DATA_TRUNCATED', STATEMENT],
  [1292, 'ER_TRUNCATED_WRONG_VALUE', STATEMENT],
  [1366, 'ER_TRUNCATED_WRONG_VALUE_FOR_FIELD', STATEMENT],
  [1406, 'ER_DATA_TOO_LONG', STATEMENT],
  [1690, 'ER_DATA_OUT_OF_RANGE', STATEMENT],
  [3819, 'ER_CHECK_CONSTRAINT_VIOLATED', STATEMENT, 'mysql'],
  [4025, 'ER_CONSTRAINT_FAILED', STATEMENT, 'mariadb'],
  [1054, 'ER_BAD_FIELD_ERROR', STATEMENT],
  [1064, 'ER_PARSE_ERROR', STATEMENT],
  [1146, 'ER_NO_SUCH_TABLE', STATEMENT],
]

const BY_FLAVOUR: Readonly<Record<Flavour, ReadonlyMap<number, Verdict>>> = {
  mysql: rowsOf('mysql'),
  mariadb: rowsOf('mariadb'),
}

function rowsOf(flavour: Flavour): ReadonlyMap<number, Verdict> {
  return new Map(
    ROWS.filter(([, , , on]) => on === undefined || on === flavour).map(([errno, , means]) => [errno, means]),
  )
}

/** What a failed statement means, once it was handed to the driver. Pure: looks at numbers and codes, never at texts. */
export function classifyStatementError(error: unknown, flavour: Flavour): Verdict {
  const { errno, code, syscall } = asDriverError(error)
  if (errno !== undefined && errno > 0 && syscall === undefined) {
    return BY_FLAVOUR[flavour].get(errno) ?? FAILED
  }
  // The kernel took no more bytes, so the last packet never left: no server can have run an incomplete statement.
  if (syscall === 'write' && code !== undefined) return NOT_SENT
  return UNKNOWN
}

/**
 * Whether this answer to COMMIT is certain to mean a rollback, though of a statement it would not be: 1205, after it waited in
 * vain for somebody's FLUSH TABLES WITH READ LOCK to end.
 */
export function isCommitRolledBack(error: unknown): boolean {
  return asDriverError(error).errno === 1205
}

const LOST_CONNECTION = { isSessionUsable: false, isWrongServer: false, transaction: 'lost' } as const
/** No server had the whole statement, and the connection is lost. */
export const NOT_SENT: Verdict = { outcome: 'notSent', ...LOST_CONNECTION }
/** It was sent, and the connection lost before its answer. */
export const UNKNOWN: Verdict = { outcome: 'unknown', ...LOST_CONNECTION }
/** The statement's own fault, found before it was written. */
export const UNSENDABLE: Verdict = { ...STATEMENT }

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
  [3955, ['ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK', 'credentials']], // FAILED_LOGIN_ATTEMPTS
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
  /^(NOT_MYSQL$|HANDSHAKE_|AUTH_SWITCH_|MYSQL_CLEAR_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERROR_IN_CERT_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_)/

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
