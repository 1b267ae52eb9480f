import type { Environment } from '../../db/local/find-program.ts'

/** What `TEST_DATABASE` asks for. */
export type TestDatabaseSetting =
  | { readonly name: 'auto' }
  | { readonly name: 'docker' }
  | { readonly name: 'local' }
  | { readonly name: 'server'; readonly server: ServerLogin }

/** A server and an account of it that may create schemas and users. */
export interface ServerLogin {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

/** The settings of a test run. */
export interface TestSettings {
  /** `TEST_DATABASE`, default `auto`. */
  readonly database: TestDatabaseSetting
  /** `TEST_MYSQL_IMAGE`, default `mysql:9.7`; used with Docker only. */
  readonly image: string
}

/** @throws Error that names the accepted values */
export function parseTestSettings(environment: Environment): TestSettings {
  const { TEST_DATABASE: database, TEST_MYSQL_IMAGE: image = 'mysql:9.7' } = environment
  return { database: parseTestDatabase(database), image }
}

/** @throws Error that names the accepted values */
export function parseTestDatabase(text: string | undefined): TestDatabaseSetting {
  const value = text?.trim() ?? ''
  if (value === '' || value === 'auto') return { name: 'auto' }
  if (value === 'docker' || value === 'local') return { name: value }
  const server = parseServerUrl(value)
  if (server !== undefined) return { name: 'server', server }
  // The value may hold a password, so it is not repeated.
  throw new Error('TEST_DATABASE must be auto, docker, local or mysql://user:password@host:port')
}

function parseServerUrl(text: string): ServerLogin | undefined {
  const url = URL.parse(text)
  if (url === null || url.protocol !== 'mysql:' || url.hostname === '' || url.username === '') return undefined
  if (url.pathname.replace('/', '') !== '' || url.search !== '' || url.hash !== '') return undefined
  return {
    // An IPv6 address comes in brackets, which a socket does not take.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 3306 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  }
}
