import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { systemClock } from '../../db/clock.ts'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import { checkSchema, createDatabase, type Database } from '../../db/index.ts'
import { findLatestMigration, migrateToLatest } from '../../db/migrator.ts'
import { type AppType, createApp } from '../../src/app.ts'
import { createMetrics } from '../../src/metrics/metrics.ts'
import { createMemoryLog, type LogLine } from '../src/memory-log.ts'
import { createTestSchema, type TestSchema } from '../support/test-database.ts'

/** The HTTP side over a migrated schema of its own, as the runtime user. */
export interface TestApp {
  readonly app: AppType
  readonly database: Database
  readonly schema: TestSchema
  readonly lines: readonly LogLine[]
  /** The one that may write. */
  readonly token: string
  readonly close: () => Promise<void>
}

const token = 'test-token'
const migrations = resolve(import.meta.dirname, '../../migrations')

export interface TestAppOptions {
  /** Who may write. Default: one token. */
  readonly tokens?: readonly string[]
  /** Where the schema is reached, such as a proxy before its server. Default: the server itself. */
  readonly address?: Pick<ConnectionOptions, 'host' | 'port'>
}

/** Over a schema of the shared server, or the given one of another. */
export async function createTestApp(given?: TestSchema, options: TestAppOptions = {}): Promise<TestApp> {
  const schema = given ?? (await createTestSchema())
  await migrateToLatest(schema.migrator, migrations)
  const newest = await findLatestMigration(migrations)
  const database = createDatabase({ connection: { ...schema.app, ...options.address }, pool: { size: 4 } })
  const { log, lines } = createMemoryLog()
  const app = createApp({
    database,
    schema: { check: () => checkSchema(database.kysely, newest) },
    state: () => ({ name: 'ready' }),
    readyzDatabase: 'required',
    metrics: createMetrics('test'),
    hasMetricsPort: false,
    log,
    clock: systemClock,
    requestTimeoutMs: 5000,
    readWriteTokens: () => options.tokens ?? [token],
    version: { name: 'still-here', version: '0.0.0', node: process.versions.node },
    swaggerUiFolder: dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json')),
  })
  return {
    app,
    database,
    schema,
    lines,
    token,
    async close() {
      await database.close({ deadlineMs: 1000 })
      await schema.drop()
    },
  }
}
