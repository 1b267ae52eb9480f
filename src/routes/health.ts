import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { healthJson, healthText } from '../health-text.ts'
import { commonProblems } from '../problem.ts'
import { readinessText } from '../readiness.ts'
import type { CheckReadiness } from '../readiness-check.ts'

const text = { 'text/plain': { schema: z.string() } } as const
const HEALTH_TYPE = 'application/health+json'
const health = {
  ...text,
  [HEALTH_TYPE]: { schema: z.looseObject({ status: z.enum(['pass', 'warn', 'fail']), checks: z.looseObject({}) }) },
} as const

const livezRoute = createRoute({
  method: 'get',
  path: '/livez',
  operationId: 'livez',
  summary: 'Whether the process works; 503 only where a restart would help, never because of the database',
  responses: {
    200: { description: 'It does.', content: text },
    503: {
      description: 'Its pool is wedged: callers wait, nothing moves, and yet the database answers.',
      content: text,
    },
    ...commonProblems,
  },
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
  summary: 'Pings idle connections, replaces dead ones, and says how the database is; text, or JSON by `Accept`',
  responses: {
    200: { description: 'The database answers: `pass`, or `warn` when something else is amiss.', content: health },
    503: { description: 'It does not: `fail`.', content: health },
    ...commonProblems,
  },
})

const HEADERS = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }
const JSON_HEADERS = { ...HEADERS, 'Content-Type': HEALTH_TYPE }
const WEDGED = '[-]pool failed: wedged\nlivez check failed'

/** Health routes. Unknown parameters are ignored: probes and load balancers add their own. */
export function healthRoutes({ database, version }: Pick<AppDeps, 'database' | 'version'>, isReady: CheckReadiness) {
  return new OpenAPIHono<AppEnv>()
    .openapi(livezRoute, (c) => (database.isWedged ? c.text(WEDGED, 503, HEADERS) : c.text('ok', 200, HEADERS)))
    .openapi(readyzRoute, async (c) => {
      const checks = await isReady()
      const body = readinessText(checks, c.req.query('verbose') !== undefined)
      return c.text(body, checks.every(({ isOk }) => isOk) ? 200 : 503, HEADERS)
    })
    .openapi(healthzRoute, async (c) => {
      const report = await database.health()
      const isJson = c.req.header('Accept')?.includes(HEALTH_TYPE) ?? false
      // Not c.text(body, status): each answer's type has one literal status.
      if (isJson) {
        const json = healthJson(report, version.version)
        return report.status === 'fail' ? c.json(json, 503, JSON_HEADERS) : c.json(json, 200, JSON_HEADERS)
      }
      const body = healthText(report)
      return report.status === 'fail' ? c.text(body, 503, HEADERS) : c.text(body, 200, HEADERS)
    })
}
