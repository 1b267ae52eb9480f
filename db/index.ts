export { MAX_BATCH } from './batcher.ts'
export { nameConnectError } from './classify-error.ts'
export { type Clock, systemClock } from './clock.ts'
export type { ConnectionOptions, TlsOptions, TlsTexts } from './connection-options.ts'
export { createDatabase, type Database, type DatabaseOptions } from './database.ts'
export { type ResilientMysqlOptions, resilientMysqlDialect } from './dialect.ts'
export {
  AcquireTimeoutError,
  CityChangedError,
  CityNotFoundError,
  CommitUnknownError,
  ConnectRefusedError,
  DeadlineExceededError,
  IdsExhaustedError,
  isDatabaseError,
  KeyInUseError,
  KeyReusedError,
  PoolClosedError,
  PositionUnusableError,
  QueueFullError,
  StatementLostError,
  StatementTooLargeError,
  TransactionEndedError,
  UnknownCountryError,
  UnreadStreamError,
} from './errors.ts'
export type { HealthReport, HealthWarning } from './health.ts'
export { type PoolOptions, PoolOptionsError, poolOrder, poolSettings } from './pool/options.ts'
export { type EvictReason, evictReasons, type PoolCounters, type PoolEvent, type PoolStats } from './pool/stats.ts'
export { checkTexts } from './pool/tls-texts.ts'
export type { StatementUse, UseObserver } from './pool/use-observer.ts'
export {
  type City,
  type CityFilter,
  type CitySort,
  countCities,
  listCities,
} from './queries/cities.ts'
export type { CityLookups } from './queries/city-lookups.ts'
export { type CityTarget, deleteCity, insertCity, type NewCity, updateCity } from './queries/city-writes.ts'
export { type Country, type CountrySort, countCountries, findCountry, listCountries } from './queries/countries.ts'
export type { KeyedWrite } from './queries/idempotency-keys.ts'
export type { Page, PagePosition } from './queries/page.ts'
export type { DB } from './schema.ts'
export { checkSchema, type SchemaState } from './schema-check.ts'
export type { Scope } from './scope.ts'
export { type Fault, faultOf, operatorMessageOf } from './server-errors.ts'
export type { SessionWaits } from './service-session.ts'
export {
  type SessionOptions,
  type SessionValue,
  type SessionVariableName,
  sessionVariables,
  strictSession,
} from './session-variables.ts'
export { asRead } from './statement-kind.ts'
export { inTransaction, type TransactionOptions } from './transaction.ts'
export { writeOnce } from './write-once.ts'
