import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { collectDefaultMetrics } from 'prom-client'
import type { Clock } from '../db/index.ts'
import { type ConnectionOptions, checkSchema, createDatabase, type Database } from '../db/index.ts'
import { startLocalDatabase } from '../db/local/local-database.ts'
import { findLatestMigration, migrateToLatest } from '../db/migrator.ts'
import { type AppDeps, createApp } from './app.ts'
import type { Config } from './config.ts'
import { createConnectionSumReport } from './connection-sum.ts'
import { createHttpServer } from './http-server.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import { logPoolEvents } from './pool-log.ts'
import { judgeSchema } from './readiness.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { startWatchdog } from './watchdog.ts'
import type { ReadTokens } from './write-tokens.ts'

/** Longest time for the connections to end, in ms: no request uses one any more by then. */
const CLOSE_DEADLINE_MS = 500

export interface StartOptions {
  readonly config: Config
  readonly lifecycle: Lifecycle
  readonly log: Log
  readonly clock: Clock
  /** Takes a line for a person, which is not for the log. */
  readonly say: (line: string) => void
  /** The checkout: its migrations, and the throw-away database's data. */
  readonly projectFolder: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly version: AppDeps['version']
}

/**
 * Brings the service up. The port comes first, so that a second `npm start` ends before it makes a database of its own.
 * @throws {ListenError}
 * @throws {NoLocalDatabaseError}
 * @throws {MigrationError}
 */
export async function start(options: StartOptions): Promise<void> {
  const { config, lifecycle, log, clock } = options
  const { requestTimeoutMs, readyzDatabase, metricsPort } = config

  const server = createHttpServer(clock)
  const { address, port } = await server.listen(config)
  // Every request ends by its own deadline; what is left after that is a client that does not read its answer.
  const closing = { delayMs: config.drainDelayMs, deadlineMs: requestTimeoutMs + 500 }
  lifecycle.onStop('requests', () => server.close(closing))

  const connection = await openConnection(options)
  const metrics = createMetrics(connection.database)
  // Its default is 10: to look at an idle loop a hundred times a second costs 1 % of a core.
  collectDefaultMetrics({ register: metrics.registry, eventLoopMonitoringPrecision: 100 })
  if (metricsPort !== undefined) await serveMetrics(metrics, metricsPort, options)
  const database = openDatabase(connection, metrics, options)
  lifecycle.onStop('connections', () => database.close({ deadlineMs: CLOSE_DEADLINE_MS }))

  const newest = await findLatestMigration(migrationsOf(options))
  const schema: AppDeps['schema'] = {
    check: () => checkSchema(database.kysely, newest),
  }
  // Found through the package, not from the current folder, which may be any.
  const swaggerUiFolder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  const { state } = lifecycle
  const { version } = options
  const readWriteTokens = writeTokensOf(options)
  const app = createApp({
    database,
    schema,
    state,
    readyzDatabase,
    metrics,
    hasMetricsPort: metricsPort !== undefined,
    log,
    clock,
    requestTimeoutMs,
    readWriteTokens,
    version,
    swaggerUiFolder,
  })
  server.serve(app.fetch)
  lifecycle.ready()
  // Not sooner: its thread would slow the start.
  startWatchdog({ logAfterMs: config.stallLogMs, exitAfterMs: config.stallExitMs, logLevel: config.logLevel })
  log.info({ address, port }, 'listening')
  if (config.database.kind === 'throwAway') options.say(`http://localhost:${port}/?city=London`)
  else await reportSchema(schema, options)
}

/** Connects by itself and again; what it meets is counted and logged. */
function openDatabase(connection: ConnectionOptions, metrics: Metrics, { config, log, clock }: StartOptions): Database {
  const logEvent = logPoolEvents({ log, clock })
  const reportConnectionSum = createConnectionSumReport(log)
  const database = createDatabase({
    connection,
    pool: config.pool,
    arePrepared: config.arePrepared,
    waits: config.waits,
    maxLookupBatch: config.maxLookupBatch,
    strategy: config.connectionStrategy,
    observer: metrics.uses,
    onEvent(event) {
      metrics.onPoolEvent(event)
      logEvent(event)
      if (event.name === 'opened') void reportConnectionSum(database)
    },
  })
  return database
}

/** On a port of their own, which stays open until the process ends: a drain can be watched. @throws {ListenError} */
async function serveMetrics({ registry }: Metrics, port: number, { config, clock, log }: StartOptions): Promise<void> {
  const server = createHttpServer(clock)
  const listening = await server.listen({ host: config.host, port })
  server.serve(metricsRoutes(registry).fetch)
  log.info({ address: listening.address, port: listening.port }, 'metrics')
}

function migrationsOf({ projectFolder }: StartOptions): string {
  return join(projectFolder, 'migrations')
}

/** The configured ones; else one that is made for a throw-away database, and nobody's for any other. */
function writeTokensOf({ config, say }: StartOptions): ReadTokens {
  if (config.writeTokens) return config.writeTokens
  if (config.database.kind === 'configured') return () => []
  const token = randomBytes(24).toString('base64url')
  say(`write with: Authorization: Bearer ${token}`)
  return () => [token]
}

/** The configured database, as it is; or a throw-away one, started and migrated. */
async function openConnection(options: StartOptions): Promise<ConnectionOptions> {
  const { config, lifecycle, projectFolder, environment, say } = options
  if (config.database.kind === 'configured') return config.database.connection
  const local = await startLocalDatabase({
    folder: join(projectFolder, '.local'),
    environment,
    say,
    signal: lifecycle.stopping,
  })
  lifecycle.onStop('database', () => local.stop())
  await migrateToLatest(local.app, migrationsOf(options))
  say(local.description)
  return local.app
}

/** Says in the log what a configured database lacks, `npm run migrate` above all: that is never done from here. */
async function reportSchema(schema: AppDeps['schema'], { log }: StartOptions): Promise<void> {
  try {
    const { isOk, reason } = judgeSchema(await schema.check())
    if (!isOk) log.warn({ reason }, 'the schema is not what this service needs')
  } catch (error) {
    log.warn({ err: error }, 'the database does not answer yet')
  }
}
