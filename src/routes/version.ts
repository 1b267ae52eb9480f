import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { commonProblems } from '../problem.ts'
import { noQuery } from '../query-params.ts'

const versionSchema = z
  .strictObject({ name: z.string(), version: z.string(), node: z.string(), commit: z.string().optional() })
  .openapi('Version')

/** What runs here. */
export type Version = z.infer<typeof versionSchema>

const versionRoute = createRoute({
  method: 'get',
  path: '/version',
  operationId: 'getVersion',
  summary: 'What runs here',
  request: { query: noQuery },
  responses: {
    200: { description: 'Name and versions.', content: { 'application/json': { schema: versionSchema } } },
    ...commonProblems,
  },
})

export function versionRoutes({ version }: Pick<AppDeps, 'version'>) {
  return new OpenAPIHono<AppEnv>().openapi(versionRoute, (c) => c.json(version, 200))
}
