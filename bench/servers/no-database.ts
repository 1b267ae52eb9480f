// What Hono alone can do: the seed route's answer, made up from a map.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { readCityRows } from '../city-rows.ts'

const ids = new Map<string, number>()
// The lowest id of a name wins.
for (const { city, cityId } of await readCityRows()) if (!ids.has(city)) ids.set(city, cityId)

const app = new Hono().get('/', (c) => {
  const name = c.req.query('city') ?? ''
  const id = ids.get(name)
  return id === undefined ? c.text(`City "${name}" not found`, 404) : c.text(`City "${name}" is #${id}`)
})

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env['PORT']) })
