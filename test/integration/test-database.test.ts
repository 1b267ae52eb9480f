import assert from 'node:assert/strict'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, test } from 'vitest'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import { createTestSchema, type TestSchema } from '../support/test-database.ts'

let schema: TestSchema

beforeAll(async () => {
  schema = await createTestSchema()
  await run(schema.migrator, 'CREATE TABLE note (id INT PRIMARY KEY)')
})
afterAll(() => schema.drop())

async function run(options: ConnectionOptions, sql: string): Promise<unknown> {
  const connection = await createConnection({ ...options, password: await options.password() })
  try {
    const [rows] = await connection.query<RowDataPacket[]>(sql)
    return rows
  } finally {
    await connection.end()
  }
}

test('the app user reads and writes rows, and nothing more', async () => {
  await run(schema.app, 'INSERT INTO note VALUES (1)')
  assert.deepEqual(await run(schema.app, 'SELECT id FROM note'), [{ id: 1 }])
  await assert.rejects(run(schema.app, 'DROP TABLE note'), { errno: 1142 })
  await assert.rejects(run(schema.app, 'CREATE TABLE other (id INT)'), { errno: 1142 })
})

test('neither user reaches the schema of another file', async () => {
  const other = await createTestSchema()
  try {
    const { database } = other.app
    assert.notEqual(database, schema.app.database)
    await assert.rejects(run({ ...schema.app, database }, 'SELECT 1'), { errno: 1044 })
    await assert.rejects(run({ ...schema.migrator, database }, 'SELECT 1'), { errno: 1044 })
  } finally {
    await other.drop()
  }
})

test('drop leaves neither schema nor users', async () => {
  const other = await createTestSchema()
  await other.drop()
  const name = other.app.database
  assert.deepEqual(await run(schema.admin, `SHOW DATABASES LIKE '${name}'`), [])
  assert.deepEqual(await run(schema.admin, `SELECT User FROM mysql.user WHERE User LIKE '${name}%'`), [])
})
