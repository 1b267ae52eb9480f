import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  CamelCasePlugin,
  DummyDriver,
  type Expression,
  type ExpressionBuilder,
  type Generated,
  Kysely,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  type RootOperationNode,
  sql,
} from 'kysely'
import { test } from 'vitest'
import { asRead, statementKind } from '../../db/statement-kind.ts'

interface Schema {
  readonly note: { readonly id: Generated<number>; readonly text: string }
}

const db = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new MysqlAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (kysely) => new MysqlIntrospector(kysely),
    createQueryCompiler: () => new MysqlQueryCompiler(),
  },
})

test('a SELECT that locks nothing is a read', () => {
  assert.equal(statementKind(db.selectFrom('note').selectAll().compile()), 'read')
  assert.equal(statementKind(db.selectNoFrom(sql`1`.as('one')).compile()), 'read')
})

test('a SELECT that locks is a write', () => {
  const notes = db.selectFrom('note').selectAll()
  for (const locking of [notes.forUpdate(), notes.forShare(), notes.forUpdate().skipLocked()]) {
    assert.equal(statementKind(locking.compile()), 'write')
  }
})

test('INSERT, UPDATE and DELETE are writes', () => {
  assert.equal(statementKind(db.insertInto('note').values({ text: '' }).compile()), 'write')
  assert.equal(statementKind(db.updateTable('note').set({ text: '' }).compile()), 'write')
  assert.equal(statementKind(db.deleteFrom('note').compile()), 'write')
})

test('raw SQL and DDL may do anything, whatever the text looks like', () => {
  assert.equal(statementKind(sql`select 1`.compile(db)), 'other')
  assert.equal(statementKind(db.schema.createTable('other').addColumn('id', 'integer').compile()), 'other')
})

test('raw SQL that is marked is a read, and marks no other statement', () => {
  const marked = asRead(sql`show variables`.compile(db))
  assert.equal(statementKind(marked), 'read')
  assert.equal(statementKind(sql`show variables`.compile(db)), 'other')
})

test('a function of both servers leaves a read a read; any other may do anything', () => {
  const call = (name: string) => statementKind(db.selectNoFrom((eb) => eb.fn(name, [eb.val('a')]).as('a')).compile())
  for (const name of ['upper', 'NOW', 'coalesce', 'st_distance', 'json_extract']) assert.equal(call(name), 'read', name)
  for (const name of [
    'act',
    'sakila.act',
    'upper ',
    'get_lock',
    'SLEEP',
    'last_insert_id',
    'nextval',
    'regexp_like',
    'a(b',
  ]) {
    assert.equal(call(name), 'other', name)
  }
  const aggregate = (name: string) =>
    statementKind(
      db
        .selectFrom('note')
        .select((eb) => eb.fn.agg(name, ['id']).as('a'))
        .compile(),
    )
  assert.deepEqual(['sum', 'max', 'my_own'].map(aggregate), ['read', 'read', 'other'])
})

test('a fragment that names, compares or lists is no raw SQL; one that could call or set is', () => {
  const select = (expression: Expression<unknown>) =>
    statementKind(db.selectNoFrom(() => [sql`${expression}`.as('a')]).compile())
  for (const harmless of [sql`1`, sql.ref('note.id'), sql.lit('a'), sql`${1} + ${2}`, sql`${sql.ref('a')} >= ${3}`]) {
    assert.equal(select(harmless), 'read')
  }
  for (const raw of [
    sql`now()`,
    sql`@x := 42`,
    sql`${1} into @x`,
    sql`${sql.ref('act')}(${1})`,
    sql`${sql.ref('act')}${sql.ref('b')}`,
    sql`${sql.ref('act')} /*! ${1} */`,
    sql.raw('1 for update'),
  ]) {
    assert.equal(select(raw), 'other')
  }
})

test('what a fragment may do counts in a write, too', () => {
  const update = (text: Expression<string>) => statementKind(db.updateTable('note').set({ text }).compile())
  assert.equal(update(sql.lit('a')), 'write')
  assert.equal(update(sql`get_lock('a', 0)`), 'other')
  assert.equal(update(asRead(sql`current_timestamp`)), 'write')
  const insert = db.insertInto('note').columns(['text'])
  assert.equal(statementKind(insert.expression(db.selectFrom('note').select('text')).compile()), 'write')
  assert.equal(statementKind(insert.expression(db.selectNoFrom(sql<string>`act()`.as('text'))).compile()), 'other')
})

test('a lock counts wherever it is', () => {
  const locked = db.selectFrom('note').select('id').forUpdate()
  assert.equal(statementKind(db.selectFrom('note').selectAll().where('id', 'in', locked).compile()), 'write')
  assert.equal(statementKind(db.selectFrom('note').selectAll().distinct().compile()), 'read')
  assert.equal(statementKind(db.selectFrom('note').selectAll().modifyEnd(sql`into outfile 'a'`).compile()), 'other')
  assert.equal(statementKind(db.selectFrom('note').selectAll().modifyFront(sql`sql_no_cache`).compile()), 'other')
})

test('a fragment, a call and a whole SELECT can be vouched for; a value is never looked into', () => {
  const vouched = asRead(sql<number>`my_own(${1})`)
  assert.equal(statementKind(db.selectNoFrom(vouched.as('a')).compile()), 'read')
  assert.equal(statementKind(db.selectNoFrom([vouched.as('a'), sql`my_own(1)`.as('b')]).compile()), 'other')
  const query = db.selectNoFrom((eb) => eb.fn('act', []).as('a'))
  assert.equal(statementKind(query.compile()), 'other')
  assert.equal(statementKind(asRead(query.compile())), 'read')
  const value = { kind: 'RawNode', sqlFragments: ['get_lock()'], parameters: [] } as unknown as string
  assert.equal(statementKind(db.selectFrom('note').selectAll().where('text', '=', value).compile()), 'read')
  assert.equal(statementKind(db.selectFrom('note').selectAll().where('text', 'in', [value]).compile()), 'read')
})

test('a plugin that rewrites statements loses marks of fragments, not of statements', () => {
  const camel = db.withPlugin(new CamelCasePlugin())
  const query = () => camel.selectNoFrom(asRead(sql`my_own()`).as('a')).compile()
  assert.equal(statementKind(query()), 'other')
  assert.equal(statementKind(asRead(query())), 'read')
})

test('a kind of node that is not known makes a statement no read', () => {
  const { query } = db.selectFrom('note').selectAll().compile()
  for (const kind of ['FutureNode', 'toString', '__proto__', 'MergeQueryNode', 'OutputNode']) {
    const future = { ...query, future: [{ kind }] } as unknown as RootOperationNode
    assert.equal(statementKind({ query: future }), 'other', kind)
  }
})

type Build = (eb: ExpressionBuilder<Schema, 'note'>) => Expression<unknown>

/** Expressions that Kysely builds of columns, values, operators and functions of both servers, with `leaf` somewhere in them. */
function expressions(leaf: Build): fc.Arbitrary<Build> {
  const wraps: readonly ((inner: Build) => Build)[] = [
    (inner) => (eb) => eb.fn.coalesce(inner(eb), eb.val(1)),
    (inner) => (eb) => eb.parens(eb(eb.ref('id'), '=', inner(eb) as Expression<number>)),
    (inner) => (eb) => eb.case().when('id', '=', 1).then(eb.val(1)).else(inner(eb)).end(),
    (inner) => (eb) => eb.not(inner(eb) as Expression<boolean>),
    (inner) => (eb) => eb.exists(eb.selectFrom('note').select(sql`${inner(eb)}`.as('a'))),
    (inner) => (eb) => eb.cast(inner(eb), 'integer'),
    (inner) => (eb) =>
      eb.fn.max(inner(eb) as Expression<number>).over((ob) => ob.partitionBy('id').orderBy('text', 'desc')),
    (inner) => (eb) => eb.and([eb('id', 'in', [1, 2]), eb.between('id', 1, inner(eb) as Expression<number>)]),
    (inner) => (eb) => eb.tuple(eb.ref('id'), inner(eb)),
    (inner) => (eb) => eb.selectFrom('note').select('id').orderBy(inner(eb), 'desc').limit(1),
    (inner) => (eb) =>
      eb
        .selectFrom((sub) =>
          sub
            .selectFrom('note')
            .select(sql`${inner(sub)}`.as('b'))
            .as('c'),
        )
        .selectAll(),
    (inner) => (eb) =>
      eb.fn
        .agg('group_concat', [inner(eb)])
        .distinct()
        .filterWhere('id', '>', 1),
  ]
  return fc
    .array(fc.constantFrom(...wraps), { maxLength: 6 })
    .map((layers) => layers.reduce((inner, wrap) => wrap(inner), leaf))
}

const places: readonly ((build: Build) => { readonly query: RootOperationNode })[] = [
  (build) =>
    db
      .selectFrom('note')
      .select((eb) => sql`${build(eb)}`.as('a'))
      .compile(),
  (build) =>
    db
      .selectFrom('note')
      .selectAll()
      .where((eb) => build(eb) as Expression<boolean>)
      .compile(),
  (build) =>
    db
      .selectFrom('note')
      .selectAll()
      .groupBy((eb) => build(eb))
      .having('id', '>', 1)
      .compile(),
  (build) =>
    db
      .selectFrom('note')
      .selectAll()
      .orderBy(
        (eb) => build(eb),
        (ob) => ob.desc(),
      )
      .compile(),
  (build) =>
    db
      .with('c', (with_) => with_.selectFrom('note').select((eb) => sql`${build(eb)}`.as('a')))
      .selectFrom('c')
      .selectAll()
      .compile(),
  (build) =>
    db
      .selectFrom('note')
      .select('id')
      .unionAll(db.selectFrom('note').select((eb) => sql<number>`${build(eb)}`.as('id')))
      .compile(),
  (build) =>
    db
      .selectFrom('note')
      .innerJoin('note as other', (join) => join.on((eb) => build(eb as never) as Expression<boolean>))
      .selectAll()
      .compile(),
]

test('of what Kysely builds, reads are reads and whatever hides in one is found, wherever it is', () => {
  const place = fc.constantFrom(...places)
  const harmless: Build = (eb) => eb.fn('upper', [eb.ref('text')])
  fc.assert(
    fc.property(place, expressions(harmless), (put, build) => {
      assert.equal(statementKind(put(build)), 'read')
    }),
  )
  const hidden = fc.constantFrom<Build>(
    () => sql`act()`,
    () => sql`@x := 1`,
    (eb) => eb.fn('act', []),
    (eb) => eb.fn('get_lock', [eb.val('a'), eb.val(0)]),
    (eb) => eb.selectFrom(sql<{ id: number }>`act()`.as('a')).select('a.id'),
    (eb) => eb.selectFrom('note').select('id').modifyEnd(sql`into @x`),
  )
  fc.assert(
    fc.property(place, hidden.chain(expressions), (put, build) => {
      assert.equal(statementKind(put(build)), 'other')
    }),
  )
})
