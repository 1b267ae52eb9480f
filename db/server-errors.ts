import { asDriverError } from './classify-error.ts'

/**
 * What a server's error about a statement means for whoever asked.
 * - `referenced`: the row stays, because other rows name it.
 * - `taken`: another row has what must be unique.
 * - `unfit`: the table does not take this value; another one may do.
 * - `incomparable`: the text has characters that the column's character set has not, so no row can equal it.
 * - `busy`: it may go better in a moment.
 * - `timeLimit`: the server stopped the statement at a limit of its own.
 * - `operator`: nothing that a caller does, or waits for, helps: a right, a table, space is missing.
 */
export type Fault = 'referenced' | 'taken' | 'unfit' | 'incomparable' | 'busy' | 'timeLimit' | 'operator'

/**
 * By number, which both servers share up to 1899; above that each of these is an error of rows on one of them alone.
 * What is not here is judged by its SQLSTATE's class, else it is an operator's.
 */
export const serverFaults: Readonly<Record<Fault, Readonly<Record<number, string>>>> = {
  referenced: {
    1217: 'ER_ROW_IS_REFERENCED',
    1451: 'ER_ROW_IS_REFERENCED_2',
  },
  taken: {
    1022: 'ER_DUP_KEY',
    1062: 'ER_DUP_ENTRY',
    1169: 'ER_DUP_UNIQUE',
    1586: 'ER_DUP_ENTRY_WITH_KEY_NAME',
    1761: 'ER_FOREIGN_DUPLICATE_KEY_WITH_CHILD_INFO',
    1762: 'ER_FOREIGN_DUPLICATE_KEY_WITHOUT_CHILD_INFO',
    1859: 'ER_DUP_UNKNOWN_IN_INDEX',
  },
  unfit: {
    1048: 'ER_BAD_NULL_ERROR',
    1118: 'ER_TOO_BIG_ROWSIZE',
    1138: 'ER_INVALID_USE_OF_NULL',
    1216: 'ER_NO_REFERENCED_ROW',
    1264: 'ER_WARN_DATA_OUT_OF_RANGE',
    1265: 'WARN_DATA_TRUNCATED',
    1292: 'ER_TRUNCATED_WRONG_VALUE',
    1300: 'ER_INVALID_CHARACTER_STRING',
    1301: 'ER_WARN_ALLOWED_PACKET_OVERFLOWED',
    1365: 'ER_DIVISION_BY_ZERO',
    1366: 'ER_TRUNCATED_WRONG_VALUE_FOR_FIELD',
    1369: 'ER_VIEW_CHECK_FAILED',
    1406: 'ER_DATA_TOO_LONG',
    1411: 'ER_WRONG_VALUE_FOR_TYPE',
    1416: 'ER_CANT_CREATE_GEOMETRY_OBJECT',
    1441: 'ER_DATETIME_FUNCTION_OVERFLOW',
    1452: 'ER_NO_REFERENCED_ROW_2',
    1525: 'ER_WRONG_VALUE',
    1526: 'ER_NO_PARTITION_FOR_GIVEN_VALUE',
    1644: 'ER_SIGNAL_EXCEPTION',
    1690: 'ER_DATA_OUT_OF_RANGE',
    1748: 'ER_ROW_DOES_NOT_MATCH_GIVEN_PARTITION_SET',
    1977: 'ER_CANNOT_CONVERT_CHARACTER',
    3673: 'ER_BAD_NULL_ERROR_NOT_IGNORED',
    3819: 'ER_CHECK_CONSTRAINT_VIOLATED',
    4025: 'ER_CONSTRAINT_FAILED',
  },
  incomparable: {
    1267: 'ER_CANT_AGGREGATE_2COLLATIONS',
    1270: 'ER_CANT_AGGREGATE_3COLLATIONS',
    1271: 'ER_CANT_AGGREGATE_NCOLLATIONS',
    3854: 'ER_CANNOT_CONVERT_STRING',
    3988: 'ER_IMPOSSIBLE_STRING_CONVERSION',
  },
  busy: {
    1020: 'ER_CHECKREAD',
    1040: 'ER_CON_COUNT_ERROR',
    1047: 'ER_UNKNOWN_COM_ERROR',
    1053: 'ER_SERVER_SHUTDOWN',
    1077: 'ER_NORMAL_SHUTDOWN',
    1079: 'ER_SHUTDOWN_COMPLETE',
    1080: 'ER_FORCING_CLOSE',
    1135: 'ER_CANT_CREATE_THREAD',
    1152: 'ER_ABORTING_CONNECTION',
    1180: 'ER_ERROR_DURING_COMMIT',
    1184: 'ER_NEW_ABORTING_CONNECTION',
    1203: 'ER_TOO_MANY_USER_CONNECTIONS',
    1205: 'ER_LOCK_WAIT_TIMEOUT',
    1206: 'ER_LOCK_TABLE_FULL',
    1213: 'ER_LOCK_DEADLOCK',
    1223: 'ER_CANT_UPDATE_WITH_READLOCK',
    1290: 'ER_OPTION_PREVENTS_STATEMENT',
    1297: 'ER_GET_TEMPORARY_ERRMSG',
    1317: 'ER_QUERY_INTERRUPTED',
    1412: 'ER_TABLE_DEF_CHANGED',
    1613: 'ER_XA_RBTIMEOUT',
    1614: 'ER_XA_RBDEADLOCK',
    1615: 'ER_NEED_REPREPARE',
    1637: 'ER_TOO_MANY_CONCURRENT_TRXS',
    1689: 'ER_LOCK_ABORTED',
    1792: 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
    1836: 'ER_READ_ONLY_MODE',
    1927: 'ER_CONNECTION_KILLED',
    1964: 'ER_PRIOR_COMMIT_FAILED',
    3032: 'ER_SERVER_OFFLINE_MODE',
    3100: 'ER_RUN_HOOK_ERROR',
    3101: 'ER_TRANSACTION_ROLLBACK_DURING_COMMIT',
    3168: 'ER_SERVER_ISNT_AVAILABLE',
    3169: 'ER_SESSION_WAS_KILLED',
    3572: 'ER_LOCK_NOWAIT',
    3797: 'ER_GRP_TRX_CONSISTENCY_BEFORE',
    3798: 'ER_GRP_TRX_CONSISTENCY_AFTER_ON_TRX_BEGIN',
    3989: 'ER_SCHEMA_READ_ONLY',
    4031: 'ER_CLIENT_INTERACTION_TIMEOUT',
    4145: 'ER_BACKUP_LOCK_IS_ACTIVE',
  },
  timeLimit: {
    1969: 'ER_STATEMENT_TIMEOUT',
    3024: 'ER_QUERY_TIMEOUT',
  },
  // The messages of these name rights, tables, files and sizes, never a value: the log may have them.
  operator: {
    1015: 'ER_CANT_LOCK',
    1016: 'ER_CANT_OPEN_FILE',
    1017: 'ER_FILE_NOT_FOUND',
    1021: 'ER_DISK_FULL',
    1024: 'ER_ERROR_ON_READ',
    1026: 'ER_ERROR_ON_WRITE',
    1030: 'ER_GET_ERRNO',
    1032: 'ER_KEY_NOT_FOUND',
    1033: 'ER_NOT_FORM_FILE',
    1034: 'ER_NOT_KEYFILE',
    1035: 'ER_OLD_KEYFILE',
    1036: 'ER_OPEN_AS_READONLY',
    1037: 'ER_OUTOFMEMORY',
    1038: 'ER_OUT_OF_SORTMEMORY',
    1041: 'ER_OUT_OF_RESOURCES',
    1044: 'ER_DBACCESS_DENIED_ERROR',
    1046: 'ER_NO_DB_ERROR',
    1049: 'ER_BAD_DB_ERROR',
    1054: 'ER_BAD_FIELD_ERROR',
    1114: 'ER_RECORD_FILE_FULL',
    1119: 'ER_STACK_OVERRUN',
    1136: 'ER_WRONG_VALUE_COUNT_ON_ROW',
    1142: 'ER_TABLEACCESS_DENIED_ERROR',
    1143: 'ER_COLUMNACCESS_DENIED_ERROR',
    1146: 'ER_NO_SUCH_TABLE',
    1153: 'ER_NET_PACKET_TOO_LARGE',
    1194: 'ER_CRASHED_ON_USAGE',
    1195: 'ER_CRASHED_ON_REPAIR',
    1197: 'ER_TRANS_CACHE_FULL',
    1226: 'ER_USER_LIMIT_REACHED',
    1227: 'ER_SPECIFIC_ACCESS_DENIED_ERROR',
    1288: 'ER_NON_UPDATABLE_TABLE',
    1296: 'ER_GET_ERRMSG',
    1305: 'ER_SP_DOES_NOT_EXIST',
    1348: 'ER_NONUPDATEABLE_COLUMN',
    1356: 'ER_VIEW_INVALID',
    1364: 'ER_NO_DEFAULT_FOR_FIELD',
    1370: 'ER_PROCACCESS_DENIED_ERROR',
    1423: 'ER_NO_DEFAULT_FOR_VIEW_FIELD',
    1436: 'ER_STACK_OVERRUN_NEED_MORE',
    1442: 'ER_CANT_UPDATE_USED_TABLE_IN_SF_OR_TRG',
    1449: 'ER_NO_SUCH_USER',
    1471: 'ER_NON_INSERTABLE_TABLE',
    1534: 'ER_BINLOG_ROW_LOGGING_FAILED',
    1598: 'ER_BINLOG_LOGGING_IMPOSSIBLE',
    1785: 'ER_GTID_UNSAFE_NON_TRANSACTIONAL_TABLE',
    1812: 'ER_TABLESPACE_MISSING',
    1814: 'ER_TABLESPACE_DISCARDED',
    1820: 'ER_MUST_CHANGE_PASSWORD',
    1874: 'ER_INNODB_READ_ONLY',
    1877: 'ER_TABLE_CORRUPT',
    1878: 'ER_TEMP_FILE_WRITE_FAILURE',
    1906: 'ER_WARNING_NON_DEFAULT_VALUE_FOR_GENERATED_COLUMN',
    1932: 'ER_NO_SUCH_TABLE_IN_ENGINE',
    3019: 'ER_INNODB_UNDO_LOG_FULL',
    3098: 'ER_BEFORE_DML_VALIDATION_ERROR',
    3105: 'ER_NON_DEFAULT_VALUE_FOR_GENERATED_COLUMN',
    3170: 'ER_CAPACITY_EXCEEDED',
    3675: 'ER_DISK_FULL_NOWAIT',
    4047: 'ER_UNSUPPORTED_COMPRESSED_TABLE',
  },
}

const faultsByNumber: ReadonlyMap<number, Fault> = new Map(
  Object.entries(serverFaults).flatMap(([fault, errors]) =>
    Object.keys(errors).map((errno) => [Number(errno), fault as Fault] as const),
  ),
)

/** By the first two characters: triggers and functions of users give numbers of their own, but with a fitting class. */
const faultsByClass: ReadonlyMap<string, Fault> = new Map<string, Fault>([
  ['08', 'busy'], // connection exception
  ['22', 'unfit'], // data exception
  ['23', 'unfit'], // integrity constraint violation
  ['40', 'busy'], // transaction rollback
  ['45', 'unfit'], // user-defined
])

/** What the error of a server means; undefined for what is none: no server has answered with it. Pure. */
export function faultOf(error: unknown): Fault | undefined {
  const { errno, syscall } = asDriverError(error)
  if (errno === undefined || errno <= 0 || syscall !== undefined) return undefined
  return faultsByNumber.get(errno) ?? faultsByClass.get(sqlStateOf(error).slice(0, 2)) ?? 'operator'
}

/** The server's words about what an operator must mend, where they can have no value of anybody's; else undefined. */
export function operatorMessageOf(error: unknown): string | undefined {
  const { errno } = asDriverError(error)
  if (errno === undefined || faultsByNumber.get(errno) !== 'operator') return undefined
  const { sqlMessage } = error as { sqlMessage?: unknown } // only read, and checked
  return typeof sqlMessage === 'string' ? sqlMessage : undefined
}

function sqlStateOf(error: unknown): string {
  const { sqlState } = error as { sqlState?: unknown } // only read, and checked
  return typeof sqlState === 'string' ? sqlState : ''
}
