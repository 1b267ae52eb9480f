// One side of `npm run bench:pool`: a Hono route over one of two dialects, alike but for that. Tells its CPU time on request.
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { createDatabase } from '../db/index.ts'
import { parseDatabaseUrl } from '../test/support/database-url.ts'
import { createPlainKysely, findCityId } from '../test/support/plain-kysely.ts'

const [, , dialect, databaseUrl = ''] = process.argv
const POOL_SIZE = 16
const REQUEST_TIMEOUT_MS = 5000

type Lookup = (name: string) => Promise<number | undefined>

/** What one would write first. */
function createPlainLookup(): Lookup {
  const kysely = createPlainKysely(databaseUrl, POOL_SIZE)
  return (name) => findCityId(kysely, name)
}

/** Ours, with everything on: a deadline for each request reaches the database. */
function createResilientLookup(): Lookup {
  const { password, ...rest } = parseDatabaseUrl(databaseUrl)
  const db = createDatabase({ connection: { ...rest, password: async () => password }, pool: { size: POOL_SIZE } })
  return async (name) => {
    const scope = db.createScope(REQUEST_TIMEOUT_MS)
    try {
      return await db.runInScope(scope, () => findCityId(db.kysely, name))
    } finally {
      scope.end()
    }
  }
}

const lookup = dialect === 'plain' ? createPlainLookup() : createResilientLookup()
const app = new Hono().get('/', async (c) => {
  const name = c.req.query('city') ?? ''
  const cityId = await lookup(name)
  return cityId === undefined ? c.text('not found', 404) : c.text(`City "${name}" is #${cityId}`)
})
const server = createServer(getRequestListener(app.fetch)).listen(0, '127.0.0.1', () => {
  process.send?.(server.address())
})
process.on('message', () => {
  const { user: userUs, system: systemUs } = process.cpuUsage()
  process.send?.(userUs + systemUs)
})
process.on('disconnect', () => process.exit())
