import { type Kysely, sql } from 'kysely'
import { deleteUnchanged } from './data/delete-unchanged.ts'
import { readCsv } from './data/read-csv.ts'

/** One statement, so all 600 rows or none; a row that is already there stays as it is. */
export async function up(db: Kysely<never>): Promise<void> {
  const rows = (await readCsv('city.csv')).map((values) => sql`(${sql.join(values)})`)
  await sql`
    insert into city (city_id, city, country_id, last_update) values ${sql.join(rows)}
    on duplicate key update city_id = city.city_id
  `.execute(db)
}

export async function down(db: Kysely<never>): Promise<void> {
  await deleteUnchanged(db, {
    table: 'city',
    columns: ['city_id', 'city', 'country_id', 'last_update'],
    rows: await readCsv('city.csv'),
  })
}
