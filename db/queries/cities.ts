import { type Expression, expressionBuilder, type Kysely, type SqlBool } from 'kysely'
import { asDriverError } from '../classify-error.ts'
import { IdsExhaustedError, UnknownCountryError } from '../errors.ts'
import type { DB } from '../schema.ts'
import { inTransaction } from '../transaction.ts'
import { beyond, type Page, type PageRequest, type SortOrder, startsWithPattern, toPage } from './page.ts'

export interface City {
  readonly cityId: number
  readonly city: string
  readonly countryId: number
  readonly lastUpdate: Date
  /** Present when asked for. */
  readonly country?: CityCountry
}

interface CityCountry {
  readonly countryId: number
  readonly country: string
  readonly lastUpdate: Date
}

/** Which cities; every given field must match. The column's collation decides equality. */
export interface CityFilter {
  readonly name?: string | undefined
  readonly namePrefix?: string | undefined
  readonly countryId?: number | undefined
}

/** How cities can be sorted; ties are broken by id in the same direction. */
export type CitySort = keyof typeof sortOrders
type CityColumn = 'city.city_id' | 'city.city' | 'city.last_update'

const sortOrders = {
  cityId: { column: 'city.city_id', direction: 'asc' },
  '-cityId': { column: 'city.city_id', direction: 'desc' },
  city: { column: 'city.city', direction: 'asc' },
  '-city': { column: 'city.city', direction: 'desc' },
  lastUpdate: { column: 'city.last_update', direction: 'asc' },
  '-lastUpdate': { column: 'city.last_update', direction: 'desc' },
} as const satisfies Record<string, SortOrder<CityColumn>>

/** A city's columns by the names of `City`. */
export const cityColumns = [
  'city.city_id as cityId',
  'city.city as city',
  'city.country_id as countryId',
  'city.last_update as lastUpdate',
] as const

export interface NewCity {
  /** 1-50 characters. */
  readonly city: string
  readonly countryId: number
}

/**
 * Adds a city, and returns it as the database has it.
 * @throws UnknownCountryError, IdsExhaustedError, and what `inTransaction` throws
 */
export async function createCity(db: Kysely<DB>, { city, countryId }: NewCity): Promise<City> {
  return await inTransaction(
    db,
    async (trx) => {
      const { insertId } = await trx
        .insertInto('city')
        .values({ city, country_id: countryId })
        .executeTakeFirstOrThrow()
        .catch((error: unknown) => {
          throw explainInsert(error, countryId)
        })
      return await trx
        .selectFrom('city')
        .select(cityColumns)
        .where('city_id', '=', Number(insertId))
        .executeTakeFirstOrThrow()
    },
    { replay: true },
  )
}

function explainInsert(cause: unknown, countryId: number): unknown {
  switch (asDriverError(cause).errno) {
    case 1452: // ER_NO_REFERENCED_ROW_2: the only foreign key is the country's
      return new UnknownCountryError(countryId, { cause })
    case 167: // HA_ERR_AUTOINC_ERANGE, as MariaDB answers it
    case 1062: // ER_DUP_ENTRY: MySQL gives the last id out again, and the id is the only unique key
      return new IdsExhaustedError({ cause })
    default:
      return cause
  }
}

export interface ListCitiesRequest {
  readonly filter: CityFilter
  readonly page: PageRequest<CitySort>
  /** Whether each city carries its country. */
  readonly includeCountry: boolean
}

/** One page of the cities that match, in the order asked for. */
export async function listCities(
  db: Kysely<DB>,
  { filter, page, includeCountry }: ListCitiesRequest,
): Promise<Page<City>> {
  const order = sortOrders[page.sort]
  const query = db
    .selectFrom('city')
    .select(cityColumns)
    .where((eb) => eb.and([...matching(filter), ...beyond(order, 'city.city_id', page.after)]))
    .orderBy(order.column, order.direction)
    .orderBy('city.city_id', order.direction)
    .limit(page.limit + 1)
  const rows = includeCountry
    ? (
        await query
          .innerJoin('country', 'country.country_id', 'city.country_id')
          .select(['country.country as countryName', 'country.last_update as countryLastUpdate'])
          .execute()
      ).map(({ countryName, countryLastUpdate, ...city }) => ({
        ...city,
        country: { countryId: city.countryId, country: countryName, lastUpdate: countryLastUpdate },
      }))
    : await query.execute()
  return toPage<City>(rows, page.limit, (row) => ({ value: sortValue(row, order.column), id: row.cityId }))
}

/** How many cities match. */
export async function countCities(db: Kysely<DB>, filter: CityFilter): Promise<number> {
  const row = await db
    .selectFrom('city')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where((eb) => eb.and(matching(filter)))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

function matching({ name, namePrefix, countryId }: CityFilter): Expression<SqlBool>[] {
  const eb = expressionBuilder<DB, 'city'>()
  return [
    ...(name === undefined ? [] : [eb('city.city', '=', name)]),
    ...(namePrefix === undefined ? [] : [eb('city.city', 'like', startsWithPattern(namePrefix))]),
    ...(countryId === undefined ? [] : [eb('city.country_id', '=', countryId)]),
  ]
}

function sortValue(row: City, column: CityColumn) {
  switch (column) {
    case 'city.city_id':
      return row.cityId
    case 'city.city':
      return row.city
    case 'city.last_update':
      return row.lastUpdate
  }
}
