import assert from 'node:assert/strict'
import { DummyDriver, type Generated, Kysely, MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler, sql } from 'kysely'
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
