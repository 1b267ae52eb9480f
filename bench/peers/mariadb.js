import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import mariadb from 'mariadb'
import { findById, findIdByName, httpPort, listPage, pageBody, pool, seedText } from './common.js'

// MySQL's default login needs the server's key when there is no TLS.
const db = mariadb.createPool({ ...pool, allowPublicKeyRetrieval: true })

const app = new Hono()
  .get('/', async (c) => {
    const name = c.req.query('city')
    const [row] = await db.query(findIdByName, [name])
    return c.text(seedText(name, row), row ? 200 : 404)
  })
  .get('/cities/:cityId', async (c) => {
    const [row] = await db.query(findById, [Number(c.req.param('cityId'))])
    return row ? c.json(row) : c.json({ title: 'Not Found', status: 404 }, 404)
  })
  .get('/cities', async (c) => {
    const limit = Number(c.req.query('limit'))
    return c.json(pageBody(await db.query(listPage, [limit + 1]), limit))
  })

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: httpPort })
