export type { ConnectionOptions, TlsOptions } from './connection-options.ts'
export { createDatabase, type Database, type DatabaseOptions } from './database.ts'
export { DeadlineExceededError, isDatabaseError } from './errors.ts'
export type { HealthReport } from './health.ts'
export {
  type City,
  type CityFilter,
  type CitySort,
  countCities,
  findCity,
  findCityIdByName,
  listCities,
} from './queries/cities.ts'
export { type Country, type CountrySort, countCountries, findCountry, listCountries } from './queries/countries.ts'
export type { Page, PagePosition } from './queries/page.ts'
export type { DB } from './schema.ts'
