import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { HealthReport } from '../../db/index.ts'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { commonProblems } from '../problem.ts'
import { judgeReadiness, readinessText, type SchemaState } from '../readiness.ts'

/** Longest wait for the schema's answer, in ms: a kubelet waits 1 s. */
const SCHEMA_TIMEOUT_MS = 500

const text = { 'text/plain': { schema: z.string() } } as const
const HEALTH_TYPE = 'application/health+json'
const health = {
  ...text,
  [HEALTH_TYPE]: { schema: z.looseObject({ status: z.enum(['pass', 'fail']) }) },
} as const

const livezRoute = createRoute({
  method: 'get',
  path: '/livez',
  operationId: 'livez',
  summary: 'Whether the process works; says nothing of the database',
  responses: { 200: { description: 'It does.', content: text }, ...commonProblems },
})

const readyzRoute = createRoute({
  method: 'get',
  path: '/readyz',
  operationId: 'readyz',
  summary: 'Whether traffic should come here: started, not draining, database usable, schema as new as this service',
  // Not `request.query`: that would refuse what it does not know.
  parameters: [
    { name: 'verbose', in: 'query', description: 'All checks, also when all is well.', schema: { type: 'string' } },
  ],
  responses: {
    200: { description: 'It should.', content: text },
    503: { description: 'It should not; says why.', content: text },
    ...commonProblems,
  },
})

const healthzRoute = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'healthz',
  summary: 'How the database is; text, or application/health+json by `Accept`',
  responses: {
    200: { description: 'It answers.', content: health },
    503: { description: 'It does not.', content: health },
    ...commonProblems,
  },
})

const HEADERS = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }
const JSON_HEADERS = { ...HEADERS, 'Content-Type': HEALTH_TYPE }

/** Health routes. Unknown parameters are ignored: probes and load balancers add their own. */
export function healthRoutes({ database, schema, state }: Pick<AppDeps, 'database' | 'schema' | 'state'>) {
  async function schemaState(): Promise<SchemaState> {
    const scope = database.createScope(SCHEMA_TIMEOUT_MS)
    try {
      return (await database.runInScope(scope, schema.isCurrent)) ? 'current' : 'behind'
    } catch {
      return 'unknown' // The health check beside this one says what is wrong with the database.
    } finally {
      scope.end()
    }
  }

  return new OpenAPIHono<AppEnv>()
    .openapi(livezRoute, (c) => c.text('ok', 200, HEADERS))
    .openapi(readyzRoute, async (c) => {
      const [health, schema] = await Promise.all([database.health(), schemaState()])
      const checks = judgeReadiness(state(), health, schema)
      const body = readinessText(checks, c.req.query('verbose') !== undefined)
      return c.text(body, checks.every(({ isOk }) => isOk) ? 200 : 503, HEADERS)
    })
    .openapi(healthzRoute, async (c) => {
      const report = await database.health()
      const isJson = c.req.header('Accept')?.includes(HEALTH_TYPE) ?? false
      const body = healthText(report)
      // Not c.text(body, status): each answer's type has one literal status.
      if (report.status === 'pass') return isJson ? c.json(report, 200, JSON_HEADERS) : c.text(body, 200, HEADERS)
      return isJson ? c.json(report, 503, JSON_HEADERS) : c.text(body, 503, HEADERS)
    })
}

function healthText(report: HealthReport): string {
  const { total, idle, acquired, waiting, connecting } = report.pool
  const pool = `pool: ${total} open, ${idle} idle, ${acquired} acquired, ${connecting} connecting, ${waiting} waiting`
  if (report.status === 'fail') return `[-]database failed: ${report.reason}\n${pool}\nhealthz check failed`
  const { serverVersion, roundTripMs, isReadOnly } = report
  const access = isReadOnly ? 'read-only' : 'read-write'
  return `[+]database ok: ${serverVersion}, ${access}, ${roundTripMs.toFixed(1)} ms\n${pool}\nhealthz check passed`
}
