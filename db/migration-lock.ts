import { type Kysely, sql } from 'kysely'
import { asDriverError } from './classify-error.ts'
import { systemClock } from './clock.ts'
import { jittered } from './pool/backoff.ts'

/**
 * How long a migration's statement stands in line for a lock, in seconds: whatever comes later for the same table, reads
 * too, waits behind it. The least that MySQL knows.
 */
export const TABLE_LOCK_WAIT_SECONDS = 1

/** How long a lock is tried for again and again, in ms. */
const LOCK_TIMEOUT_MS = 60_000
/** Between two tries, in ms: what waited behind the last one gets through. Grows up to `MAX_PAUSE_MS`. */
const PAUSE_MS = 1000
const MAX_PAUSE_MS = 4000

/** A migration that did not get a lock in time, its schema's or a table's. Nothing of the migration was done. */
export class MigrationLockError extends Error {
  override readonly name = 'MigrationLockError'
}

export interface LockOptions {
  /** Told after each try that failed, with a line for a person: who has the lock, as far as the server tells. */
  readonly onWait?: (text: string) => void
  /** Default 60,000. */
  readonly lockTimeoutMs?: number
}

/** ER_LOCK_WAIT_TIMEOUT, of tables and of rows. */
function isLockWaitTimeout(error: unknown): boolean {
  return asDriverError(error).errno === 1205
}

/**
 * Runs `attempt` until it fails with something else than a lock that it did not get, and resolves with what it does. An
 * attempt must be harmless when it runs again.
 * @throws MigrationLockError when the time is up
 */
export async function retryLocked<T>(
  db: Kysely<unknown>,
  attempt: () => Promise<T>,
  { onWait = () => {}, lockTimeoutMs = LOCK_TIMEOUT_MS }: LockOptions,
): Promise<T> {
  const startedAtMs = systemClock.now()
  for (let count = 1; ; count += 1) {
    try {
      return await attempt()
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
      if (!isLockWaitTimeout(cause)) throw error
      const text = `${error instanceof Error ? error.message : error}; ${await describeHolders(db)}`
      const pauseMs = jittered(Math.min(MAX_PAUSE_MS, PAUSE_MS * count), 0.25, Math.random)
      if (systemClock.now() - startedAtMs + pauseMs > lockTimeoutMs) {
        throw new MigrationLockError(`gave up after ${Math.round(lockTimeoutMs / 1000)} s: ${text}`, { cause })
      }
      onWait(`${text}; trying again in ${(pauseMs / 1000).toFixed(1)} s`)
      await new Promise<void>((resolve) => systemClock.schedule(pauseMs, resolve))
    }
  }
}

interface Holder {
  readonly id: number
  readonly account: string
  readonly what: string
}

/** From what tells most to what every account may ask: each fails where the right or the plugin is missing. */
const QUESTIONS = [
  {
    // MySQL, with SELECT on performance_schema.
    tells: 'the lock is held by',
    query: `
      select distinct t.processlist_id as id, concat(t.processlist_user, '@', t.processlist_host) as account,
        concat('on ', l.object_name) as what
      from performance_schema.metadata_locks as l
      join performance_schema.threads as t on t.thread_id = l.owner_thread_id
      where l.object_type = 'TABLE' and l.object_schema = database() and l.lock_status = 'GRANTED'
        and t.processlist_id <> connection_id() limit 5`,
  },
  {
    // MariaDB, with its plugin METADATA_LOCK_INFO.
    tells: 'the lock is held by',
    query: `
      select distinct p.id as id, concat(p.user, '@', p.host) as account, concat('on ', l.table_name) as what
      from information_schema.metadata_lock_info as l join information_schema.processlist as p on p.id = l.thread_id
      where l.table_schema = database() and p.id <> connection_id() limit 5`,
  },
  {
    // Both, with PROCESS.
    tells: 'transactions are open in',
    query: `
      select p.id as id, concat(p.user, '@', p.host) as account, concat('since ', t.trx_started, ' UTC') as what
      from information_schema.innodb_trx as t join information_schema.processlist as p on p.id = t.trx_mysql_thread_id
      where p.db = database() and p.id <> connection_id() order by t.trx_started limit 5`,
  },
  {
    tells: 'this account may see only its own sessions of the schema:',
    query: `
      select id as id, concat(user, '@', host) as account, concat(command, ' for ', time, ' s') as what
      from information_schema.processlist where db = database() and id <> connection_id() order by time desc limit 5`,
  },
] as const

/** Which sessions have what is waited for, as exactly as the server tells this account. Never throws. */
async function describeHolders(db: Kysely<unknown>): Promise<string> {
  for (const { tells, query } of QUESTIONS) {
    try {
      const { rows } = await sql.raw<Holder>(query).execute(db)
      if (rows.length === 0) continue
      return `${tells} ${rows.map(({ id, account, what }) => `session ${id} (${account}, ${what})`).join(', ')}`
    } catch {
      // Not allowed, or not there: the next question says less.
    }
  }
  return 'the server does not tell this account who has the lock'
}
