import fc from 'fast-check'
import { type Compilable, type Kysely, sql } from 'kysely'
import type { Flavour } from '../../db/local/server-version.ts'

/** One row of all types; columns by name, so that a statement can be made for any of them. */
export interface SampleSchema {
  sample: { id: number } & Record<string, unknown>
}

interface Column {
  readonly type: string
  /** Of the rows 1 and 2; row 3 has NULL in each column. */
  readonly values: readonly [unknown, unknown]
}

const common: Record<string, Column> = {
  c_bool: { type: 'boolean', values: [1, 0] },
  c_tiny: { type: 'tinyint', values: [5, -3] },
  c_small: { type: 'smallint unsigned', values: [5, 312] },
  c_medium: { type: 'mediumint', values: [5, 70_000] },
  c_int: { type: 'int', values: [5, -7] },
  c_zerofill: { type: 'int(8) unsigned zerofill', values: [5, 77] },
  c_big: { type: 'bigint', values: ['9007199254740993', 5] },
  c_ubig: { type: 'bigint unsigned', values: ['18446744073709551615', '9007199254740993'] },
  c_decimal: { type: 'decimal(38,18)', values: ['6.000000000000000001', '5'] },
  c_money: { type: 'decimal(20,2)', values: ['123456789012345678.91', '5.00'] },
  c_whole: { type: 'decimal(30,0)', values: ['9007199254740993', '5'] },
  c_float: { type: 'float', values: [1.1, 16_777_217] },
  c_double: { type: 'double', values: [9.100000000000005, 1e300] },
  c_bit: { type: 'bit(8)', values: [5, 1] },
  c_char: { type: 'char(10)', values: ['5', 'abc'] },
  c_varchar: { type: 'varchar(50)', values: ['05', 'Ábc '] },
  c_binary_text: { type: 'varchar(50) collate utf8mb4_bin', values: ['5', 'abc'] },
  c_latin: { type: 'varchar(50) character set latin1', values: ['5abc', 'é'] },
  c_text: { type: 'text', values: ['5', 'abc'] },
  c_long_text: { type: 'longtext', values: ['5', 'abc'] },
  c_binary: { type: 'binary(4)', values: ['5', 'abc'] },
  c_varbinary: { type: 'varbinary(20)', values: ['5', Buffer.from([0, 255])] },
  c_blob: { type: 'blob', values: ['5', 'abc'] },
  c_enum: { type: "enum('5','abc','')", values: ['5', 'abc'] },
  c_set: { type: "set('5','abc')", values: ['5', '5,abc'] },
  c_date: { type: 'date', values: ['2024-02-29', '2006-02-15'] },
  c_datetime: { type: 'datetime', values: ['2024-02-29 01:02:03', '0006-02-15 00:00:00'] },
  c_moment: { type: 'datetime(6)', values: ['2024-02-29 01:02:03.123456', '2006-02-15 00:00:00'] },
  c_stamp: { type: 'timestamp null', values: ['2024-02-29 01:02:03', '2006-02-15 00:00:00'] },
  c_fine_stamp: { type: 'timestamp(6) null', values: ['2024-02-29 01:02:03.123999', '2006-02-15 00:00:00'] },
  c_time: { type: 'time', values: ['26:30:00', '-01:00:00'] },
  c_fine_time: { type: 'time(3)', values: ['26:30:00.5', '00:00:00'] },
  c_year: { type: 'year', values: [2006, 2024] },
  c_json: { type: 'json', values: ['{"n": 5, "big": 9007199254740993}', '5'] },
}

const ofFlavour: Record<Flavour, Record<string, Column>> = {
  mariadb: {
    c_uuid: { type: 'uuid', values: ['123e4567-e89b-12d3-a456-426655440000', '00000000-0000-0000-0000-000000000005'] },
    c_inet: { type: 'inet6', values: ['::1', '2001:db8::5'] },
  },
  mysql: { c_vector: { type: 'vector(2)', values: [Buffer.alloc(8), Buffer.from('0000803f00000040', 'hex')] } },
}

export function sampleColumns(flavour: Flavour): Record<string, Column> {
  return { ...common, ...ofFlavour[flavour] }
}

/** Makes the table `sample` with its rows, as often as it is asked to. */
export async function createSample(db: Kysely<SampleSchema>, flavour: Flavour): Promise<void> {
  const columns = Object.entries(sampleColumns(flavour))
  const definitions = columns.map(([name, { type }]) => `${name} ${type}`)
  await sql.raw('drop table if exists sample').execute(db)
  await sql.raw(`create table sample (id int primary key, ${definitions.join(', ')}) character set utf8mb4`).execute(db)
  const row = (place: 0 | 1) => Object.fromEntries(columns.map(([name, { values }]) => [name, values[place]]))
  for (const values of [{ id: 1, ...row(0) }, { id: 2, ...row(1) }, { id: 3 }]) {
    await db.insertInto('sample').values(values).execute()
  }
}

/** A statement over a column and two values: always the same text. A `write` is taken back. */
interface Shape {
  readonly kind: 'read' | 'write'
  readonly build: (db: Kysely<SampleSchema>, column: string, values: readonly [unknown, unknown]) => Compilable
}

const ids = (db: Kysely<SampleSchema>) => db.selectFrom('sample').select('id').orderBy('id')
const read = (build: Shape['build']): Shape => ({ kind: 'read', build })
const write = (build: Shape['build']): Shape => ({ kind: 'write', build })
const compared = (operator: '=' | '<' | '>=' | '!=' | '<=>' | 'like' | 'not like') =>
  read((db, column, [value]) => ids(db).where(column, operator, value))
const selected = (expression: (column: string, value: unknown) => ReturnType<typeof sql>) =>
  read((db, column, [value]) => db.selectFrom('sample').select(expression(column, value).as('answer')).orderBy('id'))

export const shapes = {
  equal: compared('='),
  less: compared('<'),
  notLess: compared('>='),
  other: compared('!='),
  nullSafe: compared('<=>'),
  like: compared('like'),
  notLike: compared('not like'),
  in: read((db, column, values) => ids(db).where(column, 'in', values)),
  notIn: read((db, column, values) => ids(db).where(column, 'not in', values)),
  between: read((db, column, [from, to]) => ids(db).where((eb) => eb.between(column, from, to))),
  row: read((db, column, [value]) => db.selectFrom('sample').selectAll().where(column, '=', value)),
  one: read((db, column, [value]) =>
    db
      .selectFrom('sample')
      .select(column)
      .where('id', '!=', value as number),
  ),
  limit: read((db, column, [value, limit]) =>
    ids(db)
      .where(column, '!=', value)
      .limit(limit as number),
  ),
  page: read((db, column, [limit, offset]) =>
    ids(db)
      .where(column, 'is not', null)
      .limit(limit as number)
      .offset(offset as number),
  ),
  least: read((db, column, [value]) =>
    db
      .selectFrom('sample')
      .select(({ fn }) => [fn.min(column).as('least'), fn.sum(column).as('sum'), fn.countAll().as('n')])
      .where('id', '!=', value as number),
  ),
  union: read((db, column, [value, next]) =>
    db
      .selectFrom('sample')
      .select('id')
      .where(column, '=', value)
      .unionAll(db.selectFrom('sample').select('id').where(column, '=', next)),
  ),
  derived: read((db, column, [value]) =>
    db
      .selectFrom(db.selectFrom('sample').select(sql.ref(column).as('x')).as('d'))
      .select('x')
      .where('x', '=', value),
  ),
  ordered: read((db, column, [value]) =>
    db
      .selectFrom('sample')
      .select([column, 'id'])
      .orderBy((eb) => eb.val(value))
      .orderBy('id'),
  ),
  added: selected((column, value) => sql`${sql.ref(column)} + ${value}`),
  divided: selected((column, value) => sql`${value} / 3 + ${sql.ref(column)}`),
  coalesced: selected((column, value) => sql`coalesce(${sql.ref(column)}, ${value})`),
  joined: selected((column, value) => sql`concat(${sql.ref(column)}, ${value})`),
  dated: selected((_, value) => sql`date_add('2024-01-31', interval ${value} day)`),
  stored: selected((_, value) => sql`json_set('{"n": 0}', '$.n', ${value})`),
  rounded: selected((column, value) => sql`round(${sql.ref(column)}, ${value})`),
  plain: read((db, _, [value]) => db.selectNoFrom((eb) => eb.val(value).as('value'))),
  set: write((db, column, [value]) =>
    db
      .updateTable('sample')
      .set({ [column]: value })
      .where('id', '=', 1),
  ),
  raised: write((db, column, [value]) =>
    db
      .updateTable('sample')
      .set((eb) => ({ [column]: eb(column, '+', value) }))
      .where('id', '=', 1),
  ),
  inserted: write((db, column, [value]) => db.insertInto('sample').values({ id: 4, [column]: value })),
  replaced: write((db, column, [value, next]) =>
    db
      .insertInto('sample')
      .values({ id: 1, [column]: value })
      .onDuplicateKeyUpdate({ [column]: next }),
  ),
  deleted: write((db, column, [value]) => db.deleteFrom('sample').where(column, '=', value)),
} satisfies Record<string, Shape>

/** What people pass, and what they should not. */
const sampleValues: readonly unknown[] = [
  ...[
    0,
    1,
    2,
    5,
    6,
    312,
    2006,
    20_240_229,
    -1,
    -0,
    2.5,
    0.1,
    1e15,
    2 ** 53 - 1,
    2 ** 53,
    1e21,
    1e300,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ],
  ...[0n, 5n, -5n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 64n - 1n, true, false, null],
  ...[
    '',
    ' ',
    '5',
    '05',
    '5.0',
    '5abc',
    'abc',
    'ABC',
    'ábc',
    'é',
    '東京',
    '\u{1F600}',
    "it's",
    '\\',
    '5%',
    '%b%',
    '_',
    'true',
    '1e0',
  ],
  ...[
    '9007199254740993',
    '18446744073709551615',
    '6.000000000000000001',
    '123456789012345678.91',
    '1.1',
    '0.1',
    '{"n": 5}',
    '[]',
  ],
  ...[
    '2024-02-29',
    '2006-2-15',
    '2006-02-15 00:00:00',
    '2024-02-29 01:02:03.123456',
    '2006',
    '26:30:00',
    '26:30:00.5',
    '0000-00-00',
  ],
  ...[
    '::1',
    '123e4567-e89b-12d3-a456-426655440000',
    new Date('2024-02-29T01:02:03.000Z'),
    new Date('2006-02-15T00:00:00.000Z'),
  ],
  ...[
    Buffer.from('5'),
    Buffer.from([5]),
    Buffer.from('abc'),
    Buffer.alloc(0),
    Buffer.from([0, 255, 39, 92]),
    { n: 5 },
    [1, 2],
  ],
]

const anyValue = fc.constantFrom(...sampleValues)

/** Some runs of one statement with different values, since a server may remember the first ones' types. */
export function sampleRuns(flavour: Flavour) {
  return fc.record({
    shape: fc.constantFrom(...(Object.keys(shapes) as (keyof typeof shapes)[])),
    column: fc.constantFrom(...Object.keys(sampleColumns(flavour))),
    values: fc.array(fc.tuple(anyValue, anyValue), { minLength: 1, maxLength: 3 }),
    isInTransaction: fc.boolean(),
  })
}
