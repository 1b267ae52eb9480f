/** A value as SQL has it; text is quoted. `DEFAULT` is the keyword, which for nearly all means the server's own. */
export type SessionValue = string | number | bigint

/** A variable of a session that anyone may set, and what the service sets it to. */
export interface SessionVariable {
  /** The first version that has it, where that is not every one (MariaDB 10.11, MySQL 5.7); `none`: not that server. */
  readonly since?: { readonly mariadb?: Since; readonly mysql?: Since }
  /** What `strictSession` has. */
  readonly strict: SessionValue | PerFlavour
  /** What the server's default, or its `init_connect`, would change. */
  readonly why: string
}

/** As in version comments: 110402 is MariaDB 11.4.2, 80400 MySQL 8.4.0. */
type Since = number | 'none'

export interface PerFlavour {
  readonly mariadb: SessionValue
  readonly mysql: SessionValue
}

const mariadb = (first?: number) => ({ since: { mysql: 'none', ...(first && { mariadb: first }) } }) as const
const mysql = (first?: number) => ({ since: { mariadb: 'none', ...(first && { mysql: first }) } }) as const

const NO_LIMIT = 18_446_744_073_709_551_615n
/** Seconds; the longest REQUEST_TIMEOUT_MS. */
const LONGEST_REQUEST = 120

/**
 * Every variable of a session that changes what a statement means, what it returns, how long it waits or whether the
 * session stays, as far as an ordinary user may set it: one that is denied, or not known, fails the whole SET. In the order
 * in which they are set. What is not here, and why, is in the list of the test.
 */
export const sessionVariables = {
  sql_mode: {
    // As a whole: one inherited word (ANSI_QUOTES, NO_BACKSLASH_ESCAPES) would change what quoting means.
    strict:
      'STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
    why: 'what quotes and operators mean, and whether wrong values are refused',
  },
  collation_connection: {
    since: { mysql: 80_001 },
    strict: { mariadb: 'utf8mb4_uca1400_ai_ci', mysql: 'utf8mb4_0900_ai_ci' },
    why: 'which texts are equal where no column decides',
  },
  time_zone: { strict: '+00:00', why: 'what TIMESTAMP columns and NOW() say' },
  timestamp: { strict: 0, why: 'NOW() stands still; from `init_connect` only' },
  lc_time_names: { strict: 'en_US', why: 'names of days and months' },
  foreign_key_checks: { strict: 1, why: 'orphans are accepted' },
  unique_checks: { strict: 1, why: 'an engine may skip the check of unique keys' },
  check_constraint_checks: { ...mariadb(), strict: 1, why: 'rows that break a CHECK are accepted' },
  innodb_lock_wait_timeout: {
    strict: 1, // who holds a row's lock for longer is stuck or lost
    why: 'seconds that a statement waits for a row: 50, which no request has',
  },
  lock_wait_timeout: {
    strict: 5, // the default REQUEST_TIMEOUT_MS
    why: 'seconds that a statement waits for a table that DDL, or who stands before DDL, has: a day or a year',
  },
  max_statement_time: { ...mariadb(), strict: 0, why: 'seconds until any statement is stopped' },
  max_execution_time: { ...mysql(), strict: 0, why: 'milliseconds until a SELECT is stopped' },
  net_read_timeout: { strict: 30, why: 'seconds until a slow sender is cut off' },
  net_write_timeout: { strict: 60, why: 'seconds until a slow reader is cut off' },
  idle_transaction_timeout: {
    ...mariadb(),
    strict: LONGEST_REQUEST, // not 0: whoever holds one longer is frozen, and its locks with it
    why: 'seconds until a session is ended whose transaction idles',
  },
  idle_write_transaction_timeout: { ...mariadb(), strict: LONGEST_REQUEST, why: 'the same, after a write' },
  idle_readonly_transaction_timeout: { ...mariadb(), strict: LONGEST_REQUEST, why: 'the same, READ ONLY' },
  tcp_nodelay: { ...mariadb(), strict: 1, why: 'answers wait for acknowledgements, 40 ms' },
  tx_isolation: { ...mariadb(), strict: 'REPEATABLE-READ', why: 'what a transaction sees and locks' },
  transaction_isolation: { ...mysql(50_720), strict: 'REPEATABLE-READ', why: 'what a transaction sees and locks' },
  tx_read_only: { ...mariadb(), strict: 0, why: 'every write is refused' },
  transaction_read_only: { ...mysql(50_720), strict: 0, why: 'every write is refused' },
  innodb_snapshot_isolation: {
    // 10.11.8 has it too, but 11.0 to 11.4.1 do not. On from 11.6.2 on: a write to a row that changed meanwhile is 1020.
    ...mariadb(110_402),
    strict: 0, // as on MySQL
    why: 'whether a transaction is lost (1020) by writing to a row that changed since it began',
  },
  sql_select_limit: { strict: NO_LIMIT, why: 'rows are left out' },
  max_join_size: { strict: NO_LIMIT, why: 'larger SELECTs are refused' },
  sql_big_selects: { strict: 1, why: 'the same; set by setting `max_join_size`' },
  sql_safe_updates: { strict: 0, why: 'UPDATE and DELETE without a key are refused' },
  sql_auto_is_null: { strict: 0, why: '`id IS NULL` finds the row inserted last' },
  updatable_views_with_limit: { strict: 1, why: 'an UPDATE of a view with LIMIT is refused' },
  group_concat_max_len: { strict: 1_048_576, why: 'longer lists are cut off' },
  max_sort_length: { strict: 1024, why: 'so many bytes of a text decide its order' },
  div_precision_increment: { strict: 4, why: 'digits of a quotient' },
  default_week_format: { strict: 0, why: 'what WEEK() counts' },
  default_regex_flags: { ...mariadb(), strict: '', why: 'what REGEXP finds' },
  max_recursive_iterations: {
    ...mariadb(),
    strict: 4_294_967_295, // MariaDB leaves the rest out and says nothing
    why: 'how deep a recursive CTE goes',
  },
  cte_max_recursion_depth: { ...mysql(80_003), strict: 1000, why: 'how deep a recursive CTE goes' },
  max_sp_recursion_depth: { strict: 0, why: 'whether stored procedures may call themselves' },
  standard_compliant_cte: { ...mariadb(), strict: 1, why: 'which recursive CTEs are refused' },
  windowing_use_high_precision: { ...mysql(80_002), strict: 1, why: 'digits of sums in windows' },
  block_encryption_mode: {
    since: { mariadb: 110_200 },
    strict: 'aes-128-ecb',
    why: 'what AES_ENCRYPT() and AES_DECRYPT() give',
  },
  max_points_in_geometry: { ...mysql(), strict: 65_536, why: 'which ST_Buffer_Strategy() is refused' },
  character_set_collations: {
    ...mariadb(110_400),
    strict: 'utf8mb4=utf8mb4_uca1400_ai_ci',
    why: 'the collation of utf8mb4 where none is named',
  },
  old_mode: { ...mariadb(), strict: 'UTF8_IS_UTF8MB3', why: 'what `utf8` and casts of times mean' },
  system_versioning_asof: {
    ...mariadb(),
    strict: 'DEFAULT', // here no value of the server's, but the present
    why: 'SELECT reads a former state of versioned tables',
  },
  system_versioning_alter_history: { ...mariadb(), strict: 'ERROR', why: 'ALTER rewrites the history' },
  system_versioning_insert_history: { ...mariadb(), strict: 0, why: 'INSERT can forge the history' },
  enable_cascade_triggers: { ...mysql(90_700), strict: 0, why: 'triggers run for rows that a foreign key changes' },
  use_secondary_engine: { ...mysql(80_013), strict: 'ON', why: 'FORCED: other queries are refused' },
  explicit_defaults_for_timestamp: { strict: 1, why: 'NULL becomes the time; columns of new tables' },
  default_storage_engine: { strict: 'InnoDB', why: 'whether new tables have transactions' },
  default_tmp_storage_engine: { strict: 'InnoDB', why: 'the same of temporary ones' },
  innodb_strict_mode: { ...mariadb(), strict: 1, why: 'wrong options of new tables are ignored' },
  sql_if_exists: { ...mariadb(), strict: 0, why: 'ALTER and DROP of what is not there succeed' },
  sql_quote_show_create: { strict: 1, why: 'what SHOW CREATE says' },
  sql_notes: { strict: 1, why: 'which warnings are counted' },
  sql_warnings: { strict: 0, why: 'whether INSERT of one row says more' },
} as const satisfies Record<string, SessionVariable>

export type SessionVariableName = keyof typeof sessionVariables

/** The variables that sessions shall have, by name; what is left out stays as the server has it. */
export type SessionOptions = { readonly [Name in SessionVariableName]?: SessionValue | PerFlavour | undefined }

/** All of them: the same on every server, strict, and as the service is tested. Spread it and change what you need. */
export const strictSession: SessionOptions = Object.freeze(
  Object.fromEntries(Object.entries(sessionVariables).map(([name, { strict }]) => [name, strict])),
)
