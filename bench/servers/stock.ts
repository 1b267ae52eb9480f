// The yardstick: the same routes on stock Hono, Kysely and mysql2, as one would write them first.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { createPlainKysely, findCityId } from '../../test/support/plain-kysely.ts'
import { createKeyedWrite } from '../keyed-write.ts'

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
    const body = await c.req.json()
    const { keyHash, requestHash } = createKeyedWrite(body)
    // The two rows that the service writes, in one transaction: the city, and its answer with the key.
    const city = await kysely.transaction().execute(async (trx) => {
      const { insertId } = await trx
        .insertInto('city')
        .values({ city: body.city, country_id: body.countryId })
        .executeTakeFirstOrThrow()
      const row = await trx
        .selectFrom('city')
        .select(columns)
        .where('city_id', '=', Number(insertId))
        .executeTakeFirstOrThrow()
      await trx
        .insertInto('idempotency_key')
        .values({ key_hash: keyHash, request_hash: requestHash, answer: JSON.stringify(row) })
        .execute()
      return row
    })
    return c.json(city, 201, { Location: `/cities/${city.cityId}` })
  })

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(PORT) })
