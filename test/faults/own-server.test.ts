import assert from 'node:assert/strict'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { type OwnServer, startOwnServer } from '../support/own-server.ts'

let server: OwnServer

beforeAll(async () => {
  server = await startOwnServer({ serverArguments: ['--wait-timeout=123'] })
  const connection = await connect()
  await connection.query('CREATE TABLE note (id INT PRIMARY KEY)')
  await connection.query('INSERT INTO note VALUES (7)')
  await connection.end()
})
afterAll(() => server.dispose())
afterEach(() => isServing())

async function connect(): Promise<Connection> {
  const { host, port, user, database } = server.app
  const connection = await createConnection({
    host,
    port,
    user,
    database,
    password: await server.app.password(),
    connectTimeout: 500,
  })
  // A connection that dies while nobody uses it emits an error.
  connection.on('error', () => {})
  return connection
}

async function isServing(): Promise<void> {
  const connection = await connect()
  assert.deepEqual((await connection.query('SELECT id FROM note'))[0], [{ id: 7 }])
  await connection.end()
}

test('has the options that it was given', async () => {
  const connection = await connect()
  const [rows] = await connection.query<RowDataPacket[]>('SELECT @@global.wait_timeout AS seconds')
  assert.deepEqual(rows, [{ seconds: 123 }])
  await connection.end()
})

test('keeps port and data when it is killed and started again', async () => {
  const connection = await connect()
  await server.kill()
  await assert.rejects(connection.query('SELECT 1'), { fatal: true })
  await assert.rejects(connect())
  await server.start()
})

test('keeps port and data when it is stopped and started again', async () => {
  await server.stop()
  await assert.rejects(connect())
  await server.start()
})

test('answers nothing while frozen, and goes on with the same connections afterwards', async () => {
  const connection = await connect()
  await server.freeze()
  try {
    await assert.rejects(connect(), { code: 'ETIMEDOUT' })
    await assert.rejects(connection.query({ sql: 'SELECT 1', timeout: 300 }), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' })
  } finally {
    await server.thaw()
  }
  connection.destroy()
})
