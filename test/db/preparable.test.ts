import assert from 'node:assert/strict'
import { type Compilable, DummyDriver, Kysely, MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler, sql } from 'kysely'
import { test } from 'vitest'
import { toPreparable } from '../../db/preparable.ts'

interface Schema {
  readonly note: { readonly id: number; readonly text: string; readonly price: string }
}

const db = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new MysqlAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (kysely) => new MysqlIntrospector(kysely),
    createQueryCompiler: () => new MysqlQueryCompiler(),
  },
})
const notes = db.selectFrom('note').select('id')
const shape = (query: Compilable) => toPreparable(query.compile().query)?.integersAtEnd

test('parameters that are compared with columns, stored in columns, or limits are prepared', () => {
  const prepared: readonly Compilable[] = [
    notes.where('id', '=', 1).where('text', 'like', 'a%'),
    notes.where('id', 'in', [1, 2]).where('text', 'not in', ['a']),
    notes.where((eb) => eb.or([eb('id', '<', 1), eb.not(eb('text', '!=', 'a'))])),
    notes.select([sql.lit(3).as('place'), (eb) => eb.fn.min('id').as('least')]).where('id', '>=', 1),
    notes.where('id', '=', 1).unionAll(notes.where('id', '=', 2)),
    notes.where('id', 'in', notes.where('text', '=', 'a')),
    notes.where(sql.ref('text'), '>', 'a').orderBy('text', 'desc').orderBy(sql.ref('id')),
    notes.where('id', '=', 1).forUpdate(),
    db.insertInto('note').values({ id: 1, text: 'a', price: '1' }),
    db
      .insertInto('note')
      .values([{ id: 1, text: 'a', price: '1' }])
      .onDuplicateKeyUpdate({ text: 'b' }),
    db.updateTable('note').set({ text: 'b' }).where('id', '=', 1),
    db.deleteFrom('note').where('id', '=', 1),
  ]
  for (const query of prepared) assert.equal(shape(query), 0, query.compile().sql)
  assert.equal(shape(notes.where('id', '=', 1).limit(1)), 1)
  assert.equal(shape(notes.where('id', '=', 1).limit(1).offset(2)), 2)
  assert.equal(shape(notes.where('id', '=', 1).limit(sql.lit(1)).offset(2)), 1)
})

test('parameters anywhere else, raw SQL and what answers with more than rows or counts are not', () => {
  const refused: readonly Compilable[] = [
    notes.select((eb) => eb.val(1).as('one')),
    notes.where((eb) => eb(eb('price', '+', '1'), '=', '2')),
    notes.where((eb) => eb(eb.val(1), '=', eb.ref('id'))),
    notes.where((eb) => eb(eb.fn.coalesce('text', eb.val('a')), '=', eb.ref('text'))),
    notes.where((eb) => eb('id', '=', eb.fn<number>('abs', [eb.val(1)]))),
    notes.where((eb) => eb.between('id', 1, 2)),
    notes.where('id', '=', [1, 2] as never),
    notes.where('id', '=', 1).orderBy((eb) => eb.val(1)),
    notes.where('id', '=', 1).groupBy((eb) => eb.val(1)),
    notes.where('id', '=', 1).having((eb) => eb.fn.countAll(), '>', 1),
    notes.where(sql<boolean>`id = @mine`),
    notes.where(sql`text`, '=', 'a'),
    notes.where((eb) => eb(sql.val(1), '=', eb.ref('id'))),
    notes.where('id', '=', 1).orderBy(sql`rand()`),
    notes.where('id', 'in', db.selectFrom('note').select('id').where('text', '=', 'a').limit(1)),
    notes.where('id', '=', 1).modifyEnd(sql`procedure analyse()`),
    db.updateTable('note').set((eb) => ({ price: eb('price', '+', '1') })),
    db.updateTable('note').set({ text: sql`json_set(text, '$.n', ${5})` }),
    db.insertInto('note').values({ id: 1, text: sql`concat(${'a'})`, price: '1' }),
    db.insertInto('note').values({ id: 1, text: 'a', price: '1' }).returning('price'),
  ]
  for (const query of refused) assert.equal(shape(query), undefined, query.compile().sql)
  assert.equal(toPreparable(sql`select ${1}`.compile(db).query), undefined)
})
