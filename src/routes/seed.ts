import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { deadlineHeader } from '../openapi.ts'
import { commonProblems, databaseProblems } from '../problem.ts'

const ROUTES = `still-here: cities and countries of the sakila data.

/?city=London    the id of a city
/cities          /cities/{cityId}
/countries       /countries/{countryId}    /countries/{countryId}/cities
/docs            all routes and their parameters; /openapi.json for programs
/healthz         /readyz    /livez    /version`

const text = { 'text/plain': { schema: z.string() } } as const

const seedRoute = createRoute({
  method: 'get',
  path: '/',
  operationId: 'findCityId',
  summary: 'The id of the city of this name, as text',
  parameters: [deadlineHeader],
  // Any length: the database alone knows what equals what, trailing spaces for example.
  request: {
    query: z.strictObject({ city: z.string().optional().openapi({ description: 'A name.', example: 'London' }) }),
  },
  responses: {
    200: { description: '`City "London" is #312`; without `city` a list of the routes.', content: text },
    404: { description: '`City "Nowhere" not found`', content: text },
    ...commonProblems,
    ...databaseProblems,
  },
})

const PLAIN_TEXT = { 'Content-Type': 'text/plain; charset=utf-8' }

/** `GET /?city=London`: what the service was first asked to do. */
export function seedRoutes({ database: { cities } }: Pick<AppDeps, 'database'>) {
  return new OpenAPIHono<AppEnv>().openapi(seedRoute, async (c) => {
    const { city } = c.req.valid('query')
    if (city === undefined) return c.text(ROUTES, 200, PLAIN_TEXT)
    const cityId = await cities.idByName(city)
    if (cityId === undefined) return c.text(`City "${city}" not found`, 404, PLAIN_TEXT)
    return c.text(`City "${city}" is #${cityId}`, 200, PLAIN_TEXT)
  })
}
