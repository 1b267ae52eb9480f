import { type Kysely, sql } from 'kysely'

/** Drops a table, unless it has rows: those that are left when the migrations' own are gone are somebody's. */
export async function dropEmpty(db: Kysely<never>, table: string): Promise<void> {
  const { rows: tables } = await sql`
    select 1 from information_schema.tables where table_schema = database() and table_name = ${table}
  `.execute(db)
  if (tables.length === 0) return
  const { rows } = await sql`select 1 from ${sql.table(table)} limit 1`.execute(db)
  if (rows.length === 0) await sql`drop table ${sql.table(table)}`.execute(db)
}
