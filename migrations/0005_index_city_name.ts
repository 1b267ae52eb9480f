import { type Kysely, sql } from 'kysely'

const INDEX = 'idx_city'

/** MySQL knows no `create index if not exists`, so it is asked first. */
export async function up(db: Kysely<never>): Promise<void> {
  if (await exists(db)) return
  await sql`create index ${sql.ref(INDEX)} on city (city)`.execute(db)
}

export async function down(db: Kysely<never>): Promise<void> {
  if (!(await exists(db))) return
  await sql`drop index ${sql.ref(INDEX)} on city`.execute(db)
}

async function exists(db: Kysely<never>): Promise<boolean> {
  const { rows } = await sql`
    select 1 from information_schema.statistics
    where table_schema = database() and table_name = 'city' and index_name = ${INDEX} limit 1
  `.execute(db)
  return rows.length > 0
}
