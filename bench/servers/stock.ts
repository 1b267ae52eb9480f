// The yardstick: the same routes on stock Hono, Kysely and mysql2, as one would write them first.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { createPlainKysely, findCityId } from '../../test/support/plain-kysely.ts'

const { DATABASE_URL = '', PORT, POOL_SIZE } = process.env
const kysely = createPlainKysely(DATABASE_URL, Number(POOL_SIZE))

const columns = ['city_id as cityId', 'city', 'country_id as countryId', 'last_update as lastUpdate'] as const

const app = new Hono()
  .get('/', async (c) => {
    const name = c.req.query('city') ?? ''
    const cityId = await findCityId(kysely, name)
    return cityId === undefined ? c.text(`City "${name}" not found`, 404) : c.text(`City "${name}" is #${cityId}`)
  })
  .get('/cities/:cityId', async (c) => {
    const row = await kysely
      .selectFrom('city')
      .select(columns)
      .where('city_id', '=', Number(c.req.param('cityId')))
      .executeTakeFirst()
    return row ? c.json(row) : c.json({ title: 'Not Found', status: 404 }, 404)
  })
  .get('/cities', async (c) => {
    const limit = Number(c.req.query('limit') ?? 20)
    const rows = await kysely
      .selectFrom('city')
      .select(columns)
      .orderBy('city_id')
      .limit(limit + 1)
      .execute()
    const items = rows.slice(0, limit)
    return c.json({ items, next: rows.length > limit ? String(items.at(-1)?.cityId) : null })
  })
  .post('/cities', async (c) => {
    const { city, countryId } = await c.req.json()
    // As the service does it: one transaction, and the row as the database has it.
    const row = await kysely.transaction().execute(async (trx) => {
      const { insertId } = await trx
        .insertInto('city')
        .values({ city, country_id: countryId })
        .executeTakeFirstOrThrow()
      return await trx
        .selectFrom('city')
        .select(columns)
        .where('city_id', '=', Number(insertId))
        .executeTakeFirstOrThrow()
    })
    return c.json(row, 201, { Location: `/cities/${row.cityId}` })
  })

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(PORT) })
