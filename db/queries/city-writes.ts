import { type Expression, expressionBuilder, type SqlBool, sql, type Transaction } from 'kysely'
import { asDriverError } from '../classify-error.ts'
import { CityChangedError, CityNotFoundError, IdsExhaustedError, UnknownCountryError } from '../errors.ts'
import type { DB } from '../schema.ts'
import { statement } from '../statement.ts'
import { asRead } from '../statement-kind.ts'
import { type City, findCity } from './cities.ts'
import { hasLastCityId } from './city-ids.ts'
import { findCountry } from './countries.ts'

export interface NewCity {
  /** 1-50 characters. */
  readonly city: string
  readonly countryId: number
}

const insertStatement = statement((db, { city, countryId }: NewCity) =>
  db.insertInto('city').values({ city, country_id: countryId }),
)

/**
 * Adds a city, and returns it as the database has it.
 * @throws UnknownCountryError, IdsExhaustedError
 */
export async function insertCity(trx: Transaction<DB>, newCity: NewCity): Promise<City> {
  const { insertId } = await trx.executeQuery(insertStatement(newCity)).catch(async (error: unknown) => {
    throw (await areIdsExhausted(trx, error))
      ? new IdsExhaustedError({ cause: error })
      : await explainReference(trx, error, newCity)
  })
  return await readBack(trx, Number(insertId))
}

/** What is left out, stays. */
export interface CityChange {
  readonly city?: string | undefined
  readonly countryId?: number | undefined
}

/** Which city to change, and in which states. */
export interface CityTarget {
  readonly cityId: number
  /** SHA-256 of states as `stateHash` makes it; the city must be in one of them. Absent: any state. */
  readonly stateHashes?: readonly string[] | undefined
}

/**
 * Changes the fields that are given, and returns the city as the database has it then.
 * @throws CityNotFoundError, CityChangedError, UnknownCountryError
 */
export async function updateCity(trx: Transaction<DB>, target: CityTarget, change: CityChange): Promise<City> {
  const { city, countryId } = change
  const { numUpdatedRows } = await trx
    .updateTable('city')
    .set({ ...(city !== undefined && { city }), ...(countryId !== undefined && { country_id: countryId }) })
    .where((eb) => eb.and(targeted(target)))
    .executeTakeFirstOrThrow()
    .catch(async (error: unknown) => {
      throw await explainReference(trx, error, change)
    })
  if (numUpdatedRows === 0n) throw await explainMiss(trx, target)
  return await readBack(trx, target.cityId)
}

/** @throws CityNotFoundError, CityChangedError */
export async function deleteCity(trx: Transaction<DB>, target: CityTarget): Promise<void> {
  const { numDeletedRows } = await trx
    .deleteFrom('city')
    .where((eb) => eb.and(targeted(target)))
    .executeTakeFirstOrThrow()
  if (numDeletedRows === 0n) throw await explainMiss(trx, target)
}

/**
 * What an ETag is made of, computed by the server: compared inside the statement, it cannot be outdated. The name in UTF-8, also
 * where its column has another character set.
 */
const stateHash = asRead(
  sql<string>`sha2(concat_ws('|', city_id, country_id, unix_timestamp(last_update), convert(city using utf8mb4)), 256)`,
)

function targeted({ cityId, stateHashes }: CityTarget): Expression<SqlBool>[] {
  const eb = expressionBuilder<DB, 'city'>()
  return [
    eb('city.city_id', '=', cityId),
    // An empty list would be no SQL.
    ...(stateHashes === undefined ? [] : [stateHashes.length > 0 ? eb(stateHash, 'in', stateHashes) : eb.lit(false)]),
  ]
}

/** Why no row was changed. */
async function explainMiss(trx: Transaction<DB>, { cityId }: CityTarget): Promise<Error> {
  const city = await findCity(trx, cityId)
  return city ? new CityChangedError(cityId) : new CityNotFoundError(cityId)
}

async function readBack(trx: Transaction<DB>, cityId: number): Promise<City> {
  const city = await findCity(trx, cityId)
  if (!city) throw new Error(`city ${cityId} is not there in the transaction that wrote it`)
  return city
}

async function areIdsExhausted(trx: Transaction<DB>, error: unknown): Promise<boolean> {
  switch (asDriverError(error).errno) {
    case 167: // HA_ERR_AUTOINC_ERANGE, as MariaDB answers it
    case 1467: // ER_AUTOINC_READ_FAILED: MySQL's for BIGINT
      return true
    case 1062: // ER_DUP_ENTRY: MySQL gives the last id out again; but the schema may have unique keys of its user's
      return await hasLastCityId(trx)
    default:
      return false
  }
}

/** The country, when it is that which is missing: a foreign key of its user's may be on the same table. */
async function explainReference(trx: Transaction<DB>, cause: unknown, { countryId }: CityChange): Promise<unknown> {
  const { errno } = asDriverError(cause)
  const isReference = errno === 1452 || errno === 1216 // ER_NO_REFERENCED_ROW_2, and the one without its details
  if (countryId === undefined || !isReference || (await findCountry(trx, countryId))) return cause
  return new UnknownCountryError(countryId, { cause })
}
