import assert from 'node:assert/strict'
import { test } from 'vitest'
import { cannotCommit, isInTransaction } from '../../db/transaction-status.ts'

test('an OK packet tells whether a transaction is open, rows do not', () => {
  assert.equal(isInTransaction({ affectedRows: 1, serverStatus: 3 }), true)
  assert.equal(isInTransaction({ affectedRows: 1, serverStatus: 2 }), false)
  for (const untold of [undefined, [], [{ one: 1 }], [{ serverStatus: 3 }], [{ serverStatus: '3' }]]) {
    assert.equal(isInTransaction(untold), undefined)
  }
})

test("a procedure's last packet counts, not its rows", () => {
  assert.equal(isInTransaction([[{ one: 1 }], { serverStatus: 3 }]), true)
  assert.equal(isInTransaction([[{ one: 1 }], [{ serverStatus: 3 }], { serverStatus: 2 }]), false)
  assert.equal(isInTransaction([[{ serverStatus: 3 }], [{ serverStatus: 3 }]]), undefined)
})

test('rows, changes of rows and questions cannot commit', () => {
  for (const text of [
    'select 1',
    'INSERT INTO t VALUES (1)',
    '\n  update t set a = 1',
    '-- why\nselect 1',
    '# why\nselect 1',
    '/* trace */ /* id */ delete from t',
    'with x as (select 1) select * from x',
    'replace into t values (1)',
    'create temporary table t (id int)',
    'savepoint a',
    'release savepoint a',
    'show tables',
    'do 1',
  ]) {
    assert.equal(cannotCommit(text), true, text)
  }
})

test('all else might, whatever it hides behind', () => {
  for (const text of [
    '',
    'create table t (id int)',
    'call p()',
    'begin',
    'commit',
    'set autocommit = 1',
    'set statement max_statement_time = 1 for create table t (id int)',
    'selects',
    '/*! create table t (id int) */',
    '/*M! drop table t */ select 1',
    '/* a *//*!50000 commit */',
    '/* */ call p() -- select',
    '-- select 1',
    '--select 1\n',
    "execute immediate 'commit'",
    'rollback to a', // or the whole, with the next word
    'xa start "a"',
    '(select 1)',
  ]) {
    assert.equal(cannotCommit(text), false, text)
  }
})
