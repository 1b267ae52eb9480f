import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { type LookupRuntime, type Placed, PointLookup } from '../point-lookup.ts'
import type { DB } from '../schema.ts'
import { type City, cityColumns } from './cities.ts'

/** Single cities, as fast as the database can say. */
export interface CityLookups {
  /** The lowest id among the cities whose name equals `name` under the column's collation; undefined when there is none. */
  idByName(name: string): Promise<number | undefined>
  /** The city with this id; undefined when there is none. */
  byId(cityId: number): Promise<City | undefined>
}

export function createCityLookups(db: Kysely<DB>, runtime: LookupRuntime): CityLookups {
  const byName = new PointLookup<string, IdRow>(runtime, (size) => idByNameStatement(db, size))
  const byId = new PointLookup<number, CityRow>(runtime, (size) => byIdStatement(db, size))
  return {
    async idByName(name) {
      return (await byName.find(name))?.cityId ?? undefined
    },
    async byId(cityId) {
      const row = await byId.find(cityId)
      if (!row) return undefined
      const { city, countryId, lastUpdate } = row
      return { cityId, city, countryId, lastUpdate }
    },
  }
}

interface IdRow extends Placed {
  readonly cityId: number | null
}
type CityRow = City & Placed

/** Neither ORDER BY nor LIMIT, which a UNION would want in parentheses: the lowest id is the smallest. */
function idByNameStatement(db: Kysely<DB>, size: number): CompiledQuery<IdRow> {
  const one = (place: number) =>
    db
      .selectFrom('city')
      .select(({ fn }) => [sql.lit(place).as('place'), fn.min('city_id').as('cityId')])
      .where('city', '=', '')
  return places(size)
    .map(one)
    .reduce((all, next) => all.unionAll(next))
    .compile()
}

function byIdStatement(db: Kysely<DB>, size: number): CompiledQuery<CityRow> {
  const one = (place: number) =>
    db
      .selectFrom('city')
      .select([sql.lit(place).as('place'), ...cityColumns])
      .where('city_id', '=', 0)
  return places(size)
    .map(one)
    .reduce((all, next) => all.unionAll(next))
    .compile()
}

function places(size: number): readonly number[] {
  return Array.from({ length: size }, (_, place) => place)
}
