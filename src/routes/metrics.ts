import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { Registry } from 'prom-client'
import type { AppEnv } from '../app-env.ts'
import { commonProblems } from '../problem.ts'

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'getMetrics',
  summary: 'For Prometheus; not here when `METRICS_PORT` is set',
  responses: {
    200: { description: "Prometheus' text format.", content: { 'text/plain': { schema: z.string() } } },
    ...commonProblems,
  },
})

/** Unknown parameters are ignored: scrapers add their own. */
export function metricsRoutes(registry: Registry) {
  return new OpenAPIHono<AppEnv>().openapi(metricsRoute, async (c) => {
    const headers = { 'Content-Type': registry.contentType, 'Cache-Control': 'no-store' }
    return c.text(await registry.metrics(), 200, headers)
  })
}
