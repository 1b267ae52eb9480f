import { withConnection } from './city-table.ts'
import { type BenchSchema, type BenchServer, createMigratedSchema } from './database.ts'
import type { Workload } from './workloads.ts'

/** So that six million rows fit into memory, and are written in minutes. `loose`: each server knows one of the two. */
export const largeServerSettings = [
  '--innodb-buffer-pool-size=1G',
  '--loose-innodb-log-file-size=512M',
  '--loose-innodb-redo-log-capacity=1G',
]

const SEED_ROWS = 600
/** What SMALLINT UNSIGNED holds, with room to spare. */
const MOST_SMALL_IDS = 60_000
const CHUNK_ROWS = 1_000_000
/** How many names or ids are asked for, spread evenly over the table. */
const ASKED = 6_000

/** A migrated schema with so many cities: `Town 601`, `Town 602` ... after the 600 that are real. */
export async function createFilledSchema(server: BenchServer, rows: number): Promise<BenchSchema> {
  const schema = await createMigratedSchema(server)
  await withConnection(schema.admin, async (run) => {
    const isLarge = rows > MOST_SMALL_IDS
    // Only here: the migrations keep Sakila's SMALLINT. Indexes are built afterwards, in one sorted pass.
    if (isLarge) {
      await run('alter table city drop foreign key fk_city_country, drop index idx_fk_country_id, drop index idx_city')
      await run('alter table city modify city_id int unsigned not null auto_increment')
    }
    for (let from = SEED_ROWS; from < rows; from += CHUNK_ROWS) {
      await run(`
        insert into city (city_id, city, country_id)
        select id, concat('Town ', id), 1 + id % 109 from (${numbers(from + 1)}) numbers
        where id <= ${Math.min(rows, from + CHUNK_ROWS)}
      `)
    }
    if (isLarge) await run('alter table city add index idx_city (city), add index idx_fk_country_id (country_id)')
    await run('analyze table city')
  })
  return schema
}

/** A query of a million numbers in a row, by nothing but joins: both servers can do that. */
function numbers(from: number): string {
  const digits = Array.from({ length: 10 }, (_, digit) => `select ${digit} as d`).join(' union all ')
  const places = Array.from({ length: 6 }, (_, place) => ({ name: `p${place}`, weight: 10 ** place }))
  const value = places.map(({ name, weight }) => `${name}.d * ${weight}`).join(' + ')
  return `select ${from} + ${value} as id from ${places.map(({ name }) => `(${digits}) ${name}`).join(' cross join ')}`
}

/** Lookups by name and by id all over a table of so many rows. */
export function spreadWorkloads(seed: Workload, city: Workload, rows: number): readonly Workload[] {
  if (rows === SEED_ROWS) return [seed, city]
  const ids = Array.from(
    { length: ASKED },
    (_, index) => SEED_ROWS + 1 + Math.floor((index * (rows - SEED_ROWS)) / ASKED),
  )
  return [
    { ...seed, title: 'GET /?city=', paths: ids.map((id) => `/?city=Town%20${id}`) },
    { ...city, paths: ids.map((id) => `/cities/${id}`) },
  ]
}
