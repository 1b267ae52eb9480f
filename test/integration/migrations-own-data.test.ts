import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterEach, beforeEach, describe, test } from 'vitest'
import type { ConnectionOptions } from '../../db/index.ts'
import { migrateDown, migrateToLatest } from '../../db/migrator.ts'
import { createTestSchema, type TestSchema } from '../support/test-database.ts'
import { createTestApp } from './http-fixture.ts'

const folder = resolve(import.meta.dirname, '../../migrations')
let schema: TestSchema

beforeEach(async () => {
  schema = await createTestSchema()
})
afterEach(() => schema.drop())

async function run(connection: ConnectionOptions, ...statements: readonly string[]): Promise<RowDataPacket[]> {
  const { host, port, user, password, database } = connection
  const client = await createConnection({ host, port, user, password: await password(), database, timezone: 'Z' })
  try {
    await client.query("set time_zone = '+00:00', names utf8mb4")
    let rows: RowDataPacket[] = []
    for (const statement of statements) [rows] = await client.query<RowDataPacket[]>(statement)
    return rows
  } finally {
    await client.end()
  }
}

const asAdmin = (...statements: readonly string[]) => run(schema.admin, ...statements)
const up = () => migrateToLatest(schema.migrator, folder)

async function allDown(): Promise<void> {
  while ((await migrateDown(schema.migrator, folder)).length > 0);
}

const namesOf = async (table: 'city' | 'country') =>
  (await asAdmin(`select ${table} as name from ${table} order by ${table}_id`)).map(({ name }) => String(name))

describe('taking the migrations back leaves what they did not make', () => {
  const ownTables = [
    `create table country (country_id smallint unsigned not null auto_increment primary key, country varchar(50) not null,
       last_update timestamp not null default current_timestamp on update current_timestamp) engine=InnoDB default charset=utf8mb4`,
    `create table city (city_id smallint unsigned not null auto_increment primary key, city varchar(50) not null,
       country_id smallint unsigned not null, last_update timestamp not null default current_timestamp on update current_timestamp,
       foreign key (country_id) references country (country_id)) engine=InnoDB default charset=utf8mb4`,
  ]

  test('rows that were there before, also under an id of ours and in a table of their own', async () => {
    await asAdmin(
      ...ownTables,
      "insert into country (country_id, country) values (7, 'Mine'), (900, 'Mine too')",
      "insert into city (city_id, city, country_id) values (312, 'Home', 7), (5000, 'Harbour', 900)",
    )
    await up()
    assert.equal((await namesOf('city')).length, 601)
    await allDown()
    assert.deepEqual(
      [await namesOf('city'), await namesOf('country')],
      [
        ['Home', 'Harbour'],
        ['Mine', 'Mine too'],
      ],
    )
  })

  test('rows of one’s own among ours, rows that were changed, and the countries that they are in', async () => {
    await up()
    await asAdmin(
      'alter table city drop foreign key fk_city_country', // a schema of one's own may have none
      "insert into city (city, country_id) values ('Atlantis', 44)",
      "update city set city = 'LONDON', last_update = last_update where city_id = 312",
      'update city set last_update = now() where city_id = 1',
      "insert into country (country) values ('Nowhere')",
    )
    await allDown()
    assert.deepEqual(await namesOf('city'), ['A Coruña (La Coruña)', 'LONDON', 'Atlantis'])
    assert.deepEqual(await namesOf('country'), ['India', 'Spain', 'United Kingdom', 'Nowhere'])
    await up()
    assert.equal((await namesOf('city')).length, 601)
  })

  test('all rows where tables of a larger schema refer to them: Sakila itself', async () => {
    await up()
    await asAdmin(
      'drop table kysely_migration, kysely_migration_lock, idempotency_key',
      `create table address (address_id int primary key, city_id smallint unsigned not null,
         foreign key (city_id) references city (city_id) on delete cascade)`,
      'insert into address values (1, 300)',
    )
    await up()
    await allDown()
    assert.deepEqual([(await namesOf('city')).length, (await namesOf('country')).length], [600, 109])
    assert.equal((await asAdmin('select * from address')).length, 1)
  })

  test('a row that is referred to from where the migrating account cannot look', async () => {
    const other = `${schema.admin.database}b`
    await up()
    try {
      await asAdmin(
        `create database ${other}`,
        `create table ${other}.office (city_id smallint unsigned not null,
           foreign key (city_id) references ${schema.admin.database}.city (city_id))`,
        `insert into ${other}.office values (300)`,
      )
      await allDown()
      assert.deepEqual([await namesOf('city'), await namesOf('country')], [['Lethbridge'], ['Canada']])
    } finally {
      await asAdmin(`drop database if exists ${other}`)
    }
  })
})

describe('the collation of names', () => {
  /** As servers make the tables whose default is another one, before the migrations that name a collation. */
  async function weak(): Promise<void> {
    await up()
    for (let count = 0; count < 2; count += 1) await migrateDown(schema.migrator, folder)
    const convert = 'convert to character set utf8mb4 collate utf8mb4_general_ci'
    await asAdmin(`alter table city ${convert}`, `alter table country ${convert}`)
  }
  const full = () => (schema.flavour === 'mariadb' ? 'utf8mb4_uca1400_ai_ci' : 'utf8mb4_0900_ai_ci')
  const collations = async () =>
    (
      await asAdmin(
        `select concat(table_name, '.', column_name, ' ', collation_name) as line from information_schema.columns
         where table_schema = database() and table_name in ('city', 'country') and collation_name is not null order by 1`,
      )
    ).map(({ line }) => String(line))

  test('has full weights after the migration and is taken back with it, whatever the server’s default', async () => {
    await weak()
    await up()
    const before = await asAdmin('select * from city order by city_id')
    assert.deepEqual(await collations(), [`city.city ${full()}`, `country.country ${full()}`])
    await migrateDown(schema.migrator, folder)
    assert.deepEqual(await collations(), ['city.city utf8mb4_general_ci', `country.country ${full()}`])
    await migrateDown(schema.migrator, folder)
    assert.deepEqual(await collations(), ['city.city utf8mb4_general_ci', 'country.country utf8mb4_general_ci'])
    await up()
    assert.deepEqual(await collations(), [`city.city ${full()}`, `country.country ${full()}`])
    assert.deepEqual(await asAdmin('select * from city order by city_id'), before)
  })

  test('changes nothing else of a column and its rows', async () => {
    await weak()
    await up()
    await migrateDown(schema.migrator, folder)
    await asAdmin(
      "alter table city modify city varchar(80) character set latin1 null default 'it''s' comment 'of its ''owner'''",
      'insert into city (city, country_id) values (null, 44)',
    )
    const definition = `select column_type as type, is_nullable as isNullable, column_default as value, column_comment as note
      from information_schema.columns where table_schema = database() and table_name = 'city' and column_name = 'city'`
    const [before, rows] = [await asAdmin(definition), await asAdmin('select * from city order by city_id')]
    await up()
    assert.deepEqual(await collations(), [`city.city ${full()}`, `country.country ${full()}`])
    assert.deepEqual(await asAdmin(definition), before)
    assert.deepEqual(await asAdmin('select * from city order by city_id'), rows)
  })

  test('is left alone where it is right: the table is not even locked', async () => {
    await weak()
    await up()
    await asAdmin("delete from kysely_migration where name like '%collate%'")
    const { host, port, user, password, database } = schema.admin
    const report = await createConnection({ host, port, user, password: await password(), database })
    try {
      await report.query('begin')
      await report.query('select count(*) from city join country using (country_id)')
      assert.deepEqual(await up(), ['0007_collate_country', '0008_collate_city'])
    } finally {
      await report.end()
    }
  })

  test('of a computed column is refused, with nothing changed', async () => {
    await weak()
    await asAdmin(
      'alter table city drop column city',
      "alter table city add city varchar(50) as (lower('Nowhere')) stored, add key idx_city (city)",
    )
    await assert.rejects(up(), /migration 0008_collate_city failed: city\.city is computed/)
    assert.equal((await asAdmin('select city from city where city_id = 312'))[0]?.['city'], 'nowhere')
  })

  test('tells emoji apart, letters from what looks like them, and walks over all of them once', async () => {
    await weak()
    const service = await createTestApp(schema)
    const request = (path: string, init?: RequestInit) => service.app.request(path, init)
    try {
      const headers = { Authorization: `Bearer ${service.token}`, 'Content-Type': 'application/json' }
      const post = async (city: string) => {
        const answer = await request('/cities', {
          method: 'POST',
          headers,
          body: JSON.stringify({ city, countryId: 44 }),
        })
        return ((await answer.json()) as { cityId: number }).cityId
      }
      const names = ['😀', '😁', '🏙️', 'Straße', 'Stra', '\u{20000}', '\u{20001}', '東京', '京東']
      const ids = new Map<string, number>()
      for (const name of names) ids.set(name, await post(name))
      const find = async (name: string) => await (await request(`/?city=${encodeURIComponent(name)}`)).text()
      for (const name of names) assert.equal(await find(name), `City "${name}" is #${ids.get(name)}`)
      assert.equal(await find('😂'), 'City "😂" not found')
      assert.equal(await find('STRASSE'), `City "STRASSE" is #${ids.get('Straße')}`)
      assert.equal(await find('Strase'), 'City "Strase" not found')
      const found: number[] = []
      for (let path: string | undefined = '/cities?sort=city&limit=7'; path; ) {
        const answer: Response = await request(path)
        const { items } = (await answer.json()) as { items: { cityId: number }[] }
        found.push(...items.map(({ cityId }) => cityId))
        path = /<([^>]+)>/.exec(answer.headers.get('Link') ?? '')?.[1]
      }
      assert.equal(found.length, 609)
      assert.equal(new Set(found).size, 609)
    } finally {
      await service.database.close({ deadlineMs: 1000 })
    }
  })
})
