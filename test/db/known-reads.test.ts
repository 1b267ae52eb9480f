import assert from 'node:assert/strict'
import { DummyDriver, Kysely, MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler, sql } from 'kysely'
import { beforeEach, test } from 'vitest'
import { KnownReads } from '../../db/known-reads.ts'
import { asRead } from '../../db/statement-kind.ts'

const db = new Kysely<{ readonly note: { readonly id: number; readonly text: string } }>({
  dialect: {
    createAdapter: () => new MysqlAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (kysely) => new MysqlIntrospector(kysely),
    createQueryCompiler: () => new MysqlQueryCompiler(),
  },
})
const one = db.selectFrom('note').select('text').where('id', '=', 1).compile()
const raw = (text: string) => sql.raw(text).compile(db)

let reads: KnownReads
beforeEach(() => {
  reads = new KnownReads()
})

test('a text is told by its nodes once, and known whoever builds it', () => {
  assert.equal(reads.kindOf(raw(one.sql)), 'other')
  assert.equal(reads.kindOf(one), 'read')
  assert.equal(reads.kindOf(raw(one.sql)), 'read')
})

test('what somebody vouched for is not known of the same text without that word', () => {
  const call = () => sql`my_own(1)`.as('a')
  const vouched = asRead(sql`my_own(1)`).as('a')
  assert.equal(reads.kindOf(db.selectNoFrom(vouched).compile()), 'read')
  assert.equal(reads.kindOf(db.selectNoFrom(call()).compile()), 'other')
  assert.equal(reads.kindOf(asRead(raw('show variables'))), 'read')
  assert.equal(reads.kindOf(raw('show variables')), 'other')
})

test('a value is not looked into for marks: it may lead back to itself', () => {
  const value: { kind: string; self?: unknown } = { kind: 'SelectQueryNode' }
  value.self = value
  assert.equal(
    reads.kindOf(
      db
        .selectFrom('note')
        .select('id')
        .where('text', '=', value as never)
        .compile(),
    ),
    'read',
  )
})

test('writes are told each time, and none is taken for a read', () => {
  const locking = db.selectFrom('note').select('id').forUpdate().compile()
  for (let time = 0; time < 2; time += 1) assert.equal(reads.kindOf(locking), 'write')
})

test('only the texts that came last are known, and none that is very long', () => {
  const nth = (n: number) => db.selectFrom('note').select(sql.lit(n).as('n')).compile()
  for (let n = 0; n <= 500; n += 1) reads.kindOf(nth(n))
  assert.equal(reads.kindOf(raw(nth(0).sql)), 'other')
  assert.equal(reads.kindOf(raw(nth(500).sql)), 'read')
  const long = db.selectFrom('note').select('id').where('id', 'in', Array(5_000).fill(1)).compile()
  assert.equal(reads.kindOf(long), 'read')
  assert.equal(reads.kindOf(raw(long.sql)), 'other')
})
