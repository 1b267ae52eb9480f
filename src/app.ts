import { OpenAPIHono } from '@hono/zod-openapi'
import type { Clock, Database, SchemaState } from '../db/index.ts'
import { createAllowedMethods } from './allowed-methods.ts'
import type { AppEnv } from './app-env.ts'
import { deadline } from './deadline.ts'
import { envelope } from './envelope.ts'
import { answerError } from './http-errors.ts'
import type { LifecycleState } from './lifecycle.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics/metrics.ts'
import { documentRoutes } from './openapi.ts'
import { ProblemError } from './problem.ts'
import { rejectInvalid } from './query-params.ts'
import type { DatabasePolicy } from './readiness.ts'
import { createReadinessCheck } from './readiness-check.ts'
import { cityRoutes } from './routes/cities.ts'
import { cityWriteRoutes } from './routes/city-writes.ts'
import { countryRoutes } from './routes/countries.ts'
import { docsRoutes } from './routes/docs.ts'
import { healthRoutes } from './routes/health.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { seedRoutes } from './routes/seed.ts'
import { type Version, versionRoutes } from './routes/version.ts'
import type { ReadTokens } from './write-tokens.ts'

/** What the HTTP side is given. */
export interface AppDeps {
  readonly database: Database
  readonly schema: {
    /** What the database has of what this version needs; rejects when it cannot say. */
    check(): Promise<SchemaState>
  }
  readonly state: () => LifecycleState
  readonly readyzDatabase: DatabasePolicy
  readonly metrics: Metrics
  /** Whether `/metrics` is somewhere else. */
  readonly hasMetricsPort: boolean
  readonly log: Log
  readonly clock: Clock
  /** Longest time from a request to its answer, in ms. */
  readonly requestTimeoutMs: number
  /** Who may write; no token: nobody. */
  readonly readWriteTokens: ReadTokens
  readonly version: Version
  /** Absolute: where swagger-ui-dist's files are. */
  readonly swaggerUiFolder: string
}

/** What `hc<AppType>` needs to know. */
export type AppType = ReturnType<typeof createApp>

/** Builds the HTTP side: opens no port, reads no environment. */
export function createApp(deps: AppDeps) {
  const { database, log, clock, requestTimeoutMs, version, metrics, state } = deps
  const { registry, requests } = metrics
  const app = new OpenAPIHono<AppEnv>({ defaultHook: rejectInvalid })
  app.onError((error, c) => answerError(error, c, log))
  const allowedMethods = createAllowedMethods(app)
  app.notFound((c) => {
    const methods = allowedMethods(c.req.path)
    if (methods.length === 0) return answerError(new ProblemError(404, 'There is no such route.'), c, log)
    const allow = methods.join(', ')
    c.header('Allow', allow)
    return answerError(new ProblemError(405, `This route knows ${allow}.`), c, log)
  })
  app.use(envelope({ log, clock, requests }))
  const limit = deadline(database, requestTimeoutMs)
  for (const path of ['/', '/cities/*', '/countries/*']) app.use(path, limit)
  const readiness = createReadinessCheck(deps)
  const isReady = async () => (await readiness()).every(({ isOk }) => isOk)
  metrics.watch({ database, state, isReady, version })
  if (!deps.hasMetricsPort) app.route('/', metricsRoutes(registry))
  return app
    .route('/', seedRoutes(deps))
    .route('/', cityRoutes(deps))
    .route('/', cityWriteRoutes(deps))
    .route('/', countryRoutes(deps))
    .route('/', versionRoutes(deps))
    .route('/', healthRoutes(deps, readiness))
    .route('/', documentRoutes(app, version.version))
    .route('/', docsRoutes(deps))
}
