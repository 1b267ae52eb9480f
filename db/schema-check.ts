import type { Kysely } from 'kysely'
import { asDriverError } from './classify-error.ts'
import type { DB } from './schema.ts'

/** What the schema has of what this version needs. `lacks`: the first thing that is missing, `table` where that is known. */
export type SchemaState =
  | { readonly name: 'current' }
  | { readonly name: 'behind' }
  | { readonly name: 'unusable'; readonly lacks: 'table' | 'column' | 'right'; readonly table?: string }

/** Complete by its type: what a migration adds is asked for as soon as `npm run check:schema` has it. */
const columnsOf: { readonly [Table in keyof DB]: Readonly<Record<keyof DB[Table], true>> } = {
  city: { city_id: true, city: true, country_id: true, last_update: true },
  country: { country_id: true, country: true, last_update: true },
  idempotency_key: { key_hash: true, request_hash: true, answer: true, created_at: true },
}

type MigrationTable = { readonly kysely_migration: { readonly name: string } }

/**
 * Whether migration `newest` has run, and every table and column is there and may be read: one statement, which reads one
 * row. When it fails, a few more find out why.
 * @throws what a statement throws that says nothing of the schema
 */
export async function checkSchema(db: Kysely<DB>, newest: string): Promise<SchemaState> {
  const all = db.withTables<MigrationTable>()
  try {
    const row = await all
      .selectFrom('kysely_migration')
      .leftJoin('city', (join) => join.on(({ lit }) => lit(false)))
      .leftJoin('country', (join) => join.on(({ lit }) => lit(false)))
      .leftJoin('idempotency_key', (join) => join.on(({ lit }) => lit(false)))
      .select(tables.flatMap(columnNames))
      .where('kysely_migration.name', '=', newest)
      .executeTakeFirst()
    return { name: row ? 'current' : 'behind' }
  } catch (error) {
    const lacks = lackOf(error)
    if (!lacks) throw error
    return (await explain(all, newest).catch(() => undefined)) ?? { name: 'unusable', lacks }
  }
}

/** Asks for each table by itself; undefined when nothing is missing any more. */
async function explain(db: Kysely<DB & MigrationTable>, newest: string): Promise<SchemaState | undefined> {
  const migrations = db.selectFrom('kysely_migration').select('name').where('name', '=', newest)
  try {
    if (!(await migrations.executeTakeFirst())) return { name: 'behind' }
  } catch (error) {
    const lacks = lackOf(error)
    if (lacks === 'table') return { name: 'behind' } // nothing was ever migrated
    if (lacks) return { name: 'unusable', lacks, table: 'kysely_migration' }
    throw error
  }
  for (const table of tables) {
    try {
      await db.selectFrom(table).select(columnNames(table)).limit(0).execute()
    } catch (error) {
      const lacks = lackOf(error)
      if (lacks) return { name: 'unusable', lacks, table }
      throw error
    }
  }
  return undefined
}

const tables = Object.keys(columnsOf) as (keyof DB)[] // its keys are just those

function columnNames<Table extends keyof DB>(table: Table) {
  const names = Object.keys(columnsOf[table]) as (keyof DB[Table] & string)[] // as above
  return names.map((name) => `${table}.${name}` as const)
}

function lackOf(error: unknown): 'table' | 'column' | 'right' | undefined {
  switch (asDriverError(error).errno) {
    case 1146: // ER_NO_SUCH_TABLE
    case 1356: // ER_VIEW_INVALID
    case 1932: // ER_NO_SUCH_TABLE_IN_ENGINE, on MariaDB
      return 'table'
    case 1054: // ER_BAD_FIELD_ERROR
      return 'column'
    case 1142: // ER_TABLEACCESS_DENIED_ERROR
    case 1143: // ER_COLUMNACCESS_DENIED_ERROR
      return 'right'
    default:
      return undefined
  }
}
