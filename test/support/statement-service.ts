// For faults that need statements which the service has no route for: a small HTTP server over the pool alone, or over mysql2's.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Kysely, sql } from 'kysely'
import type { Database } from '../../db/database.ts'
import { createDatabase, type DB, DeadlineExceededError, isDatabaseError } from '../../db/index.ts'
import { asRead } from '../../db/statement-kind.ts'
import { parseDatabaseUrl } from './database-url.ts'
import { createPlainKysely } from './plain-kysely.ts'

const REQUEST_TIMEOUT_MS = 5_000
const { DATABASE_URL = '', PORT, POOL_SIZE = '16', STATEMENTS_POOL } = process.env
const failoversAtMs: number[] = []
const run = STATEMENTS_POOL === 'plain' ? withPlain() : withOurs()

type Task = (kysely: Kysely<DB>) => Promise<string>
type Run = (response: ServerResponse, task: Task) => Promise<string>

function withPlain(): Run {
  const kysely = createPlainKysely(DATABASE_URL, Number(POOL_SIZE))
  return (_response, task) => task(kysely)
}

function withOurs(): Run {
  const { password, ...rest } = parseDatabaseUrl(DATABASE_URL)
  const database: Database = createDatabase({
    connection: { ...rest, password: async () => password },
    pool: { size: Number(POOL_SIZE) },
    onEvent: ({ name }) => {
      if (name === 'failover') failoversAtMs.push(performance.now())
    },
  })
  return async (response, task) => {
    const scope = database.createScope(REQUEST_TIMEOUT_MS)
    response.once('close', () => {
      if (!response.writableEnded) scope.abort(new Error('the client left'))
    })
    try {
      return await database.runInScope(scope, () => task(database.kysely))
    } finally {
      scope.end()
    }
  }
}

/** `GET /sleep/500` runs a read of 500 ms; `POST /cities` inserts a city of the name that is its body. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, route, parameter] = request.url?.split('/') ?? []
  try {
    switch (`${request.method} /${route}`) {
      case 'GET /version':
        return end(response, 200, 'statements')
      case 'GET /failovers':
        return end(response, 200, JSON.stringify(failoversAtMs))
      case 'GET /sleep':
        return end(response, 200, await run(response, (kysely) => sleep(kysely, Number(parameter))))
      case 'POST /cities': {
        const name = await readBody(request)
        return end(response, 201, await run(response, (kysely) => insertCity(kysely, name)))
      }
      default:
        return end(response, 404, 'no such route')
    }
  } catch (error) {
    end(response, statusOf(error), String(error))
  }
}

async function sleep(kysely: Kysely<DB>, ms: number): Promise<string> {
  await kysely.selectNoFrom(asRead(sql<number>`sleep(${ms / 1_000})`).as('slept')).execute()
  return 'slept'
}

async function insertCity(kysely: Kysely<DB>, city: string): Promise<string> {
  await kysely.insertInto('city').values({ city, country_id: 102 }).execute()
  return city
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += chunk
  return body
}

function statusOf(error: unknown): number {
  if (error instanceof DeadlineExceededError) return 504
  return isDatabaseError(error) ? 503 : 500
}

function end(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain' }).end(body)
}

createServer((request, response) => void answer(request, response)).listen(Number(PORT), '127.0.0.1')
