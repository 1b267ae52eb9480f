import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { Kysely, MysqlAdapter, sql } from 'kysely'
import { FileMigrationProvider, type MigrationResultSet, Migrator } from 'kysely/migration'
import type { ConnectionOptions } from './connection-options.ts'
import { ResilientMysqlDialect } from './dialect.ts'
import { type LockOptions, MigrationLockError, retryLocked, TABLE_LOCK_WAIT_SECONDS } from './migration-lock.ts'
import { strictSession } from './session-variables.ts'

/** How long a migrator waits for another one of the same schema, in seconds. */
const LOCK_WAIT_SECONDS = 60

/** A migration that failed: its file, and the database's own error as `cause`. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
  readonly migration: string | undefined
  constructor(migration: string | undefined, cause: unknown) {
    const text = cause instanceof Error ? cause.message : String(cause)
    super(migration === undefined ? text : `migration ${migration} failed: ${text}`, { cause })
    this.migration = migration
  }
}

export interface MigrationStatus {
  readonly name: string
  readonly executedAt: Date | undefined
}

/**
 * Runs what has not run yet and returns the names of what it ran: none when there was nothing to do. Where somebody has a
 * table that a migration needs it lets others through, and tries again for 60 s.
 * @throws MigrationError, MigrationLockError
 */
export async function migrateToLatest(
  connection: ConnectionOptions,
  folder: string,
  options: LockOptions = {},
): Promise<string[]> {
  return await withMigrator(connection, folder, async (migrator, db) => {
    const done: string[] = []
    await retryLocked(db, async () => collectNames(await migrator.migrateToLatest(), done), options)
    return done
  })
}

/**
 * Takes the last migration back and returns its name: none when there was nothing to take back. Waits as `migrateToLatest`.
 * @throws MigrationError, MigrationLockError
 */
export async function migrateDown(
  connection: ConnectionOptions,
  folder: string,
  options: LockOptions = {},
): Promise<string[]> {
  return await withMigrator(connection, folder, async (migrator, db) => {
    const done: string[] = []
    await retryLocked(db, async () => collectNames(await migrator.migrateDown(), done), options)
    return done
  })
}

/** Every migration of the folder, in order, with the time at which it ran. Changes nothing. */
export async function readMigrationStatus(connection: ConnectionOptions, folder: string): Promise<MigrationStatus[]> {
  return await withMigrator(connection, folder, async (migrator) =>
    (await migrator.getMigrations()).map(({ name, executedAt }) => ({ name, executedAt })),
  )
}

/** The name of the newest migration in the folder. @throws RangeError when there is none */
export async function findLatestMigration(folder: string): Promise<string> {
  const names = Object.keys(await createProvider(folder).getMigrations())
  const newest = names.toSorted((a, b) => (a < b ? -1 : 1)).at(-1)
  if (newest === undefined) throw new RangeError(`no migrations in ${folder}`)
  return newest
}

async function withMigrator<T>(
  connection: ConnectionOptions,
  folder: string,
  task: (migrator: Migrator, db: Kysely<unknown>) => Promise<T>,
): Promise<T> {
  const db = new Kysely<unknown>({ dialect: new MigrationDialect(connection) })
  try {
    return await task(new Migrator({ db, provider: createProvider(folder) }), db)
  } finally {
    await db.destroy()
  }
}

function createProvider(folder: string): FileMigrationProvider {
  return new FileMigrationProvider({ fs, path, migrationFolder: folder })
}

/** Adds to `done` what has run. Kysely's migrator returns its error; here it is thrown. */
function collectNames({ error, results = [] }: MigrationResultSet, done: string[]): void {
  done.push(...results.filter(({ status }) => status === 'Success').map(({ migrationName }) => migrationName))
  if (error === undefined) return
  if (error instanceof MigrationLockError) throw error
  throw new MigrationError(results.find(({ status }) => status === 'Error')?.migrationName, error)
}

class MigrationDialect extends ResilientMysqlDialect {
  readonly #schema: string
  constructor(connection: ConnectionOptions) {
    super({ connection, pool: { size: 1 }, session: strictSession })
    this.#schema = connection.database
  }
  override createAdapter(): MysqlAdapter {
    return new MigrationAdapter(this.#schema)
  }
}

/**
 * One migrator a schema at a time. Kysely's own lock has one name for all schemas of a server and is not checked: after
 * a wait that failed it would migrate unlocked. The server drops the lock with the session, so a crash leaves none.
 */
class MigrationAdapter extends MysqlAdapter {
  readonly #lockName: string
  constructor(schema: string) {
    super()
    // Hashed: MySQL refuses lock names of more than 64 characters, and a schema's name alone can have as many.
    this.#lockName = `still-here:${createHash('sha256').update(schema).digest('hex').slice(0, 32)}`
  }
  override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
    await sql`set session lock_wait_timeout = ${sql.lit(TABLE_LOCK_WAIT_SECONDS)}`.execute(db)
    const { rows } = await sql<{ granted: number | null }>`
      select get_lock(${this.#lockName}, ${LOCK_WAIT_SECONDS}) as granted
    `.execute(db)
    if (rows[0]?.granted !== 1) {
      throw new MigrationLockError(`another migration of this schema did not end within ${LOCK_WAIT_SECONDS} s`)
    }
  }
  override async releaseMigrationLock(db: Kysely<unknown>): Promise<void> {
    await sql`select release_lock(${this.#lockName})`.execute(db)
  }
}
