import { serve } from '@hono/node-server'
import { asc, eq } from 'drizzle-orm'
import { mysqlTable, smallint, timestamp, varchar } from 'drizzle-orm/mysql-core'
import { drizzle } from 'drizzle-orm/mysql2'
import { Hono } from 'hono'
import { createPool } from 'mysql2'
import { httpPort, pageBody, pool, seedText } from './common.js'

const city = mysqlTable('city', {
  cityId: smallint('city_id', { unsigned: true }).primaryKey().autoincrement(),
  city: varchar('city', { length: 50 }).notNull(),
  countryId: smallint('country_id', { unsigned: true }).notNull(),
  lastUpdate: timestamp('last_update').notNull(),
})
const db = drizzle({ client: createPool(pool) })

const app = new Hono()
  .get('/', async (c) => {
    const name = c.req.query('city')
    const [row] = await db
      .select({ city_id: city.cityId })
      .from(city)
      .where(eq(city.city, name))
      .orderBy(asc(city.cityId))
      .limit(1)
    return c.text(seedText(name, row), row ? 200 : 404)
  })
  .get('/cities/:cityId', async (c) => {
    const [row] = await db
      .select()
      .from(city)
      .where(eq(city.cityId, Number(c.req.param('cityId'))))
    return row ? c.json(row) : c.json({ title: 'Not Found', status: 404 }, 404)
  })
  .get('/cities', async (c) => {
    const limit = Number(c.req.query('limit'))
    const rows = await db
      .select()
      .from(city)
      .orderBy(asc(city.cityId))
      .limit(limit + 1)
    return c.json(pageBody(rows, limit))
  })

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: httpPort })
