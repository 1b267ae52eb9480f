import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { onTestFinished, test } from 'vitest'
import type { ConnectionOptions } from '../../db/index.ts'
import { MigrationError, migrateDown, migrateToLatest, readMigrationStatus } from '../../db/migrator.ts'
import { createTestSchema } from '../support/test-database.ts'

const folder = resolve(import.meta.dirname, '../../migrations')
const names = [
  '0001_create_country',
  '0002_create_city',
  '0003_insert_countries',
  '0004_insert_cities',
  '0005_index_city_name',
  '0006_create_idempotency_key',
  '0007_collate_country',
  '0008_collate_city',
]

async function emptySchema(): Promise<ConnectionOptions> {
  const schema = await createTestSchema()
  onTestFinished(schema.drop)
  return schema.migrator
}

/** Rows as the server writes them, whatever the client would make of them. */
async function query(connection: ConnectionOptions, sql: string): Promise<Record<string, string>[]> {
  const client = await createConnection({
    host: connection.host,
    port: connection.port,
    user: connection.user,
    password: await connection.password(),
    database: connection.database,
    charset: 'utf8mb4',
  })
  try {
    await client.query("set time_zone = '+00:00'")
    const [rows] = await client.query<RowDataPacket[]>({ sql, typeCast: (field) => field.string('utf8') })
    return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : []
  } finally {
    await client.end()
  }
}

/** The CSV read by another parser than the migrations': splits at commas, and joins what stood in quotes. */
async function csvRows(name: string): Promise<Record<string, string>[]> {
  const text = await readFile(resolve(folder, 'data', name), 'utf8')
  const [header = '', ...lines] = text.split('\n').filter((line) => line !== '')
  const columns = header.split(',')
  return lines.map((line) => {
    const cells = line.split('"').flatMap((part, index) => (index % 2 ? [part] : part.split(',').filter(Boolean)))
    return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? '']))
  })
}

test('every row of the CSV files is there, to the letter, and no other', async () => {
  const connection = await emptySchema()
  assert.deepEqual(await migrateToLatest(connection, folder), names)
  const cities = await csvRows('city.csv')
  const countries = await csvRows('country.csv')
  assert.equal(cities.length, 600)
  assert.equal(countries.length, 109)
  assert.deepEqual(await query(connection, 'select * from city order by city_id'), cities)
  assert.deepEqual(await query(connection, 'select * from country order by country_id'), countries)
})

test('the tables are those of Sakila 1.5, with an index on the name of our own', async () => {
  const connection = await emptySchema()
  await migrateToLatest(connection, folder)
  const columns = await query(
    connection,
    `select table_name as t, column_name as c, replace(column_type, '(5)', '') as type, is_nullable as n, extra like '%auto_increment%' as ai,
       character_set_name as cs from information_schema.columns
     where table_schema = database() and table_name in ('city', 'country') order by table_name, ordinal_position`,
  )
  assert.deepEqual(
    columns.map((column) => Object.values(column).join(' ')),
    [
      'city city_id smallint unsigned NO 1 ',
      'city city varchar(50) NO 0 utf8mb4',
      'city country_id smallint unsigned NO 0 ',
      'city last_update timestamp NO 0 ',
      'country country_id smallint unsigned NO 1 ',
      'country country varchar(50) NO 0 utf8mb4',
      'country last_update timestamp NO 0 ',
    ],
  )
  const indexes = await query(
    connection,
    `select table_name as t, index_name as i, column_name as c from information_schema.statistics
     where table_schema = database() and table_name in ('city', 'country') order by table_name, index_name`,
  )
  assert.deepEqual(
    indexes.map((index) => Object.values(index).join(' ')),
    ['city idx_city city', 'city idx_fk_country_id country_id', 'city PRIMARY city_id', 'country PRIMARY country_id'],
  )
  const [key] = await query(
    connection,
    `select constraint_name as name, update_rule as onUpdate, delete_rule as onDelete
     from information_schema.referential_constraints where constraint_schema = database()`,
  )
  assert.deepEqual(key, { name: 'fk_city_country', onUpdate: 'CASCADE', onDelete: key?.['onDelete'] })
  // RESTRICT and NO ACTION are one thing to InnoDB; the servers do not agree on what to call it.
  assert.match(key?.['onDelete'] ?? '', /^(RESTRICT|NO ACTION)$/)
})

test('two migrators started together: one migrates, the other waits and finds nothing to do', async () => {
  const connection = await emptySchema()
  const results = await Promise.all([migrateToLatest(connection, folder), migrateToLatest(connection, folder)])
  assert.deepEqual(
    results.toSorted((a, b) => a.length - b.length),
    [[], names],
  )
})

test('what was migrated is taken back one at a time, and migrated again', async () => {
  const connection = await emptySchema()
  await migrateToLatest(connection, folder)
  for (const name of names.toReversed()) assert.deepEqual(await migrateDown(connection, folder), [name])
  assert.deepEqual(await migrateDown(connection, folder), [])
  const left = await query(connection, `show tables where \`Tables_in_${connection.database}\` not like 'kysely%'`)
  assert.deepEqual(left, [])
  assert.deepEqual(await migrateToLatest(connection, folder), names)
})

test('the status names what has run, and changes nothing', async () => {
  const connection = await emptySchema()
  const statusOf = async () =>
    (await readMigrationStatus(connection, folder)).map(({ name, executedAt }) => [name, executedAt !== undefined])
  assert.deepEqual(
    await statusOf(),
    names.map((name) => [name, false]),
  )
  assert.deepEqual(await query(connection, 'show tables'), [])
  await migrateToLatest(connection, folder)
  await migrateDown(connection, folder)
  assert.deepEqual(
    await statusOf(),
    names.map((name, index) => [name, index < names.length - 1]),
  )
})

test("a failed migration is named, with the database's own words", async () => {
  const connection = await emptySchema()
  await query(connection, 'create table country (something_else int)')
  await assert.rejects(migrateToLatest(connection, folder), (error) => {
    assert.ok(error instanceof MigrationError)
    assert.equal(error.migration, '0002_create_city')
    assert.match(error.message, /^migration 0002_create_city failed: .*(foreign key|fk_city_country|country_id)/i)
    return true
  })
})

test("cut off before any of its statements, or before that one's answer, it is repaired by running again", async () => {
  const connection = await emptySchema()
  let statements = Number.POSITIVE_INFINITY
  for (let cutAt = 1; cutAt <= statements; cutAt += 1) {
    for (const reachesServer of [false, true]) {
      await dropAll(connection)
      const relay = await startRelay(connection, { cutAt, reachesServer })
      const isCut = await migrateToLatest({ ...connection, port: relay.port }, folder).then(
        () => false,
        () => true,
      )
      if (!isCut) statements = relay.statements()
      await relay.close()
      await migrateToLatest(connection, folder)
      const [counts] = await query(
        connection,
        'select (select count(*) from city) as cities, (select count(*) from country) as countries',
      )
      assert.deepEqual(counts, { cities: '600', countries: '109' }, `cut at ${cutAt}, reaches: ${reachesServer}`)
      assert.deepEqual(await migrateToLatest(connection, folder), [])
    }
  }
  assert.ok(statements >= 20, `the walk cut at ${statements} statements`)
}, 120_000)

async function dropAll(connection: ConnectionOptions): Promise<void> {
  const tables = 'city, country, kysely_migration, kysely_migration_lock'
  await query(connection, `drop table if exists ${tables}`)
}

interface Relay {
  readonly port: number
  /** Statements that came through. */
  readonly statements: () => number
  readonly close: () => Promise<void>
}

/** Stands before the server and ends the migration's connection at its `cutAt`-th statement, delivered or not. */
async function startRelay(
  { host, port }: ConnectionOptions,
  { cutAt, reachesServer }: { readonly cutAt: number; readonly reachesServer: boolean },
): Promise<Relay> {
  const sockets = new Set<Socket>()
  let statements = 0
  let isCut = false
  const server = createServer((client) => {
    const upstream = connect(port, host)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {}) // the cut itself
      socket.on('close', () => [client, upstream].forEach((other) => void other.destroy()))
    }
    client.on('data', (data) => {
      // A statement: sequence number 0 and COM_QUERY, COM_STMT_PREPARE or COM_STMT_EXECUTE, but for those that set a
      // session up or look after it.
      const isStatement = data.length > 5 && data[3] === 0 && [0x03, 0x16, 0x17].includes(data[4] ?? 0)
      if (isStatement && !/^(SET time_zone|SELECT connection_id)/.test(data.toString('latin1', 5))) statements += 1
      if (!isCut && statements === cutAt) {
        isCut = true
        if (reachesServer) upstream.write(data)
        client.destroy()
      } else upstream.write(data)
    })
    upstream.on('data', (data) => client.write(data))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return {
    port: address.port,
    statements: () => statements,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}
