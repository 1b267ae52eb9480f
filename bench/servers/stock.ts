// The yardstick: the same routes on stock Hono, Kysely and mysql2, as one would write them first.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { Kysely, MysqlDialect } from 'kysely'
import { createPool } from 'mysql2'
import type { DB } from '../../db/schema.ts'

const { DATABASE_URL = '', PORT, POOL_SIZE } = process.env
const { hostname, port, username, password, pathname } = new URL(DATABASE_URL)
const pool = createPool({
  host: hostname,
  port: Number(port),
  user: username,
  password: decodeURIComponent(password),
  database: pathname.slice(1),
  connectionLimit: Number(POOL_SIZE),
  timezone: 'Z',
})
const db = new Kysely<DB>({ dialect: new MysqlDialect({ pool }) })

const columns = ['city_id as cityId', 'city', 'country_id as countryId', 'last_update as lastUpdate'] as const

const app = new Hono()
  .get('/', async (c) => {
    const name = c.req.query('city') ?? ''
    const row = await db
      .selectFrom('city')
      .select('city_id')
      .where('city', '=', name)
      .orderBy('city_id')
      .limit(1)
      .executeTakeFirst()
    return row ? c.text(`City "${name}" is #${row.city_id}`) : c.text(`City "${name}" not found`, 404)
  })
  .get('/cities/:cityId', async (c) => {
    const row = await db
      .selectFrom('city')
      .select(columns)
      .where('city_id', '=', Number(c.req.param('cityId')))
      .executeTakeFirst()
    return row ? c.json(row) : c.json({ title: 'Not Found', status: 404 }, 404)
  })
  .get('/cities', async (c) => {
    const limit = Number(c.req.query('limit') ?? 20)
    const rows = await db
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
    const row = await db.transaction().execute(async (trx) => {
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
