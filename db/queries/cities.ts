import { type Expression, expressionBuilder, type Kysely, type SqlBool, type Transaction } from 'kysely'
import type { DB } from '../schema.ts'
import { statement } from '../statement.ts'
import { noneIfIncomparable } from './comparable.ts'
import { beyond, type Page, type PageRequest, pageRows, type SortOrder, startsWithPattern, toPage } from './page.ts'

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

const findStatement = statement((db, { cityId }: { readonly cityId: number }) =>
  db.selectFrom('city').select(cityColumns).where('city_id', '=', cityId),
)

/** The city with this id, read inside a transaction; undefined when there is none. Others ask `CityLookups`. */
export async function findCity(trx: Transaction<DB>, cityId: number): Promise<City | undefined> {
  return (await trx.executeQuery(findStatement({ cityId }))).rows[0]
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
  const withCountry = query
    .innerJoin('country', 'country.country_id', 'city.country_id')
    .select(['country.country as countryName', 'country.last_update as countryLastUpdate'])
  const rows = includeCountry
    ? (await pageRows(page, () => withCountry.execute())).map(({ countryName, countryLastUpdate, ...city }) => ({
        ...city,
        country: { countryId: city.countryId, country: countryName, lastUpdate: countryLastUpdate },
      }))
    : await pageRows(page, () => query.execute())
  return toPage<City>(rows, page.limit, (row) => ({ value: sortValue(row, order.column), id: row.cityId }))
}

/** How many cities match. */
export async function countCities(db: Kysely<DB>, filter: CityFilter): Promise<number> {
  const query = db
    .selectFrom('city')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where((eb) => eb.and(matching(filter)))
  const row = await query.executeTakeFirstOrThrow().catch(noneIfIncomparable)
  return Number(row?.count ?? 0)
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
