// The yardstick of `npm run faults -- --baseline`: Hono, Kysely and mysql2 without a thought for stale connections.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { createPlainKysely, findCityId } from './plain-kysely.ts'

const { DATABASE_URL = '', PORT, POOL_SIZE = '16' } = process.env
const kysely = createPlainKysely(DATABASE_URL, Number(POOL_SIZE))

const app = new Hono()
  .get('/version', (c) => c.text('plain'))
  .get('/', async (c) => {
    const name = c.req.query('city') ?? ''
    const cityId = await findCityId(kysely, name)
    return cityId === undefined ? c.text(`City "${name}" not found`, 404) : c.text(`City "${name}" is #${cityId}`)
  })
  .post('/cities', async (c) => {
    const { city, countryId } = await c.req.json()
    const { insertId } = await kysely
      .insertInto('city')
      .values({ city, country_id: countryId })
      .executeTakeFirstOrThrow()
    return c.json({ cityId: Number(insertId), city, countryId }, 201)
  })

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(PORT) })
