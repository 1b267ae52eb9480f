import { type Expression, expressionBuilder, type Kysely, type SqlBool } from 'kysely'
import type { DB } from '../schema.ts'
import { noneIfIncomparable } from './comparable.ts'
import { beyond, type Page, type PageRequest, pageRows, type SortOrder, startsWithPattern, toPage } from './page.ts'

export interface Country {
  readonly countryId: number
  readonly country: string
  readonly lastUpdate: Date
}

/** Which countries; every given field must match. The column's collation decides equality. */
export interface CountryFilter {
  readonly name?: string | undefined
  readonly namePrefix?: string | undefined
}

/** How countries can be sorted; ties are broken by id in the same direction. */
export type CountrySort = keyof typeof sortOrders
type CountryColumn = 'country.country_id' | 'country.country'

const sortOrders = {
  countryId: { column: 'country.country_id', direction: 'asc' },
  '-countryId': { column: 'country.country_id', direction: 'desc' },
  country: { column: 'country.country', direction: 'asc' },
  '-country': { column: 'country.country', direction: 'desc' },
} as const satisfies Record<string, SortOrder<CountryColumn>>

const countryColumns = [
  'country.country_id as countryId',
  'country.country as country',
  'country.last_update as lastUpdate',
] as const

/** The country with this id; undefined when there is none. */
export async function findCountry(db: Kysely<DB>, countryId: number): Promise<Country | undefined> {
  return await db.selectFrom('country').select(countryColumns).where('country_id', '=', countryId).executeTakeFirst()
}

export interface ListCountriesRequest {
  readonly filter: CountryFilter
  readonly page: PageRequest<CountrySort>
}

/** One page of the countries that match, in the order asked for. */
export async function listCountries(db: Kysely<DB>, { filter, page }: ListCountriesRequest): Promise<Page<Country>> {
  const order = sortOrders[page.sort]
  const query = db
    .selectFrom('country')
    .select(countryColumns)
    .where((eb) => eb.and([...matching(filter), ...beyond(order, 'country.country_id', page.after)]))
    .orderBy(order.column, order.direction)
    .orderBy('country.country_id', order.direction)
    .limit(page.limit + 1)
  const rows = await pageRows(page, () => query.execute())
  return toPage<Country>(rows, page.limit, (row) => ({
    value: order.column === 'country.country' ? row.country : row.countryId,
    id: row.countryId,
  }))
}

/** How many countries match. */
export async function countCountries(db: Kysely<DB>, filter: CountryFilter): Promise<number> {
  const query = db
    .selectFrom('country')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where((eb) => eb.and(matching(filter)))
  const row = await query.executeTakeFirstOrThrow().catch(noneIfIncomparable)
  return Number(row?.count ?? 0)
}

function matching({ name, namePrefix }: CountryFilter): Expression<SqlBool>[] {
  const eb = expressionBuilder<DB, 'country'>()
  return [
    ...(name === undefined ? [] : [eb('country.country', '=', name)]),
    ...(namePrefix === undefined ? [] : [eb('country.country', 'like', startsWithPattern(namePrefix))]),
  ]
}
