import { type Kysely, sql } from 'kysely'
import { deleteUnchanged } from './data/delete-unchanged.ts'
import { readCsv } from './data/read-csv.ts'

/** One statement, so all 109 rows or none; a row that is already there stays as it is. */
export async function up(db: Kysely<never>): Promise<void> {
  const rows = (await readCsv('country.csv')).map((values) => sql`(${sql.join(values)})`)
  await sql`
    insert into country (country_id, country, last_update) values ${sql.join(rows)}
    on duplicate key update country_id = country.country_id
  `.execute(db)
}

/** Not those that a city is in which stays. */
export async function down(db: Kysely<never>): Promise<void> {
  await deleteUnchanged(db, {
    table: 'country',
    columns: ['country_id', 'country', 'last_update'],
    rows: await readCsv('country.csv'),
    where: sql<boolean>`country_id not in (select country_id from city)`,
  })
}
