import { type Kysely, sql } from 'kysely'
import type { DB } from '../schema.ts'
import { asRead } from '../statement-kind.ts'

const bitsOf: Readonly<Record<string, number>> = { tinyint: 8, smallint: 16, mediumint: 24, int: 32, bigint: 64 }

interface ColumnAndLastId {
  readonly type: string
  readonly isUnsigned: number
  readonly lastId: number | string | null
}

/** Whether the last id that the column can hold is given out: then MySQL gives it out for each further row, too. */
export async function hasLastCityId(db: Kysely<DB>): Promise<boolean> {
  const query = sql<ColumnAndLastId>`
    select data_type as type, column_type like '%unsigned%' as isUnsigned, (select max(city_id) from city) as lastId
    from information_schema.columns
    where table_schema = database() and table_name = 'city' and column_name = 'city_id'
  `.compile(db)
  const [row] = (await db.executeQuery(asRead(query))).rows
  const bits = bitsOf[row?.type ?? '']
  if (!row || row.lastId === null || bits === undefined) return false
  return BigInt(row.lastId) === 2n ** BigInt(bits - (row.isUnsigned ? 0 : 1)) - 1n
}
