import { type CompiledQuery, sql } from 'kysely'
import { type LookupRuntime, type Placed, PointLookup } from '../point-lookup.ts'
import { builder } from '../statement.ts'
import { type City, cityColumns } from './cities.ts'
import { noneIfIncomparable } from './comparable.ts'

/** Single cities, as fast as the database can say. */
export interface CityLookups {
  /** The lowest id among the cities whose name equals `name` under the column's collation; undefined when there is none. */
  idByName(name: string): Promise<number | undefined>
  /** The city with this id; undefined when there is none. */
  byId(cityId: number): Promise<City | undefined>
}

export function createCityLookups(runtime: LookupRuntime): CityLookups {
  const byName = new PointLookup<string, IdRow>(runtime, idByNameStatement)
  const byId = new PointLookup<number, CityRow>(runtime, byIdStatement)
  return {
    async idByName(name) {
      try {
        return (await byName.find(name))?.cityId ?? undefined
      } catch (error) {
        return noneIfIncomparable(error)
      }
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
function idByNameStatement(size: number): CompiledQuery<IdRow> {
  const one = (place: number) =>
    builder
      .selectFrom('city')
      .select(({ fn }) => [sql.lit(place).as('place'), fn.min('city_id').as('cityId')])
      .where('city', '=', '')
  return places(size)
    .map(one)
    .reduce((all, next) => all.unionAll(next))
    .compile()
}

function byIdStatement(size: number): CompiledQuery<CityRow> {
  const one = (place: number) =>
    builder
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
