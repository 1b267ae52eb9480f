import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseTestDatabase, parseTestSettings } from './test-database-setting.ts'

test('is auto with mysql:9.7 unless told otherwise', () => {
  assert.deepEqual(parseTestSettings({}), { database: { name: 'auto' }, image: 'mysql:9.7' })
  assert.deepEqual(parseTestSettings({ TEST_DATABASE: 'local', TEST_MYSQL_IMAGE: 'mysql:8.4' }), {
    database: { name: 'local' },
    image: 'mysql:8.4',
  })
})

test('takes the words auto, docker and local', () => {
  assert.deepEqual(parseTestDatabase(''), { name: 'auto' })
  assert.deepEqual(parseTestDatabase('auto'), { name: 'auto' })
  assert.deepEqual(parseTestDatabase('docker'), { name: 'docker' })
  assert.deepEqual(parseTestDatabase('local'), { name: 'local' })
})

test('takes a server with an account, decoded', () => {
  assert.deepEqual(parseTestDatabase('mysql://root:p%40ss%3A@db.example:3307'), {
    name: 'server',
    server: { host: 'db.example', port: 3307, user: 'root', password: 'p@ss:' },
  })
  assert.deepEqual(parseTestDatabase('mysql://root@[::1]/'), {
    name: 'server',
    server: { host: '::1', port: 3306, user: 'root', password: '' },
  })
})

test('refuses everything else without repeating what may be a password', () => {
  for (const value of [
    'Docker',
    'mariadb',
    'http://root:secret@host',
    'mysql://host',
    'mysql://root:secret@host/schema',
  ]) {
    assert.throws(() => parseTestDatabase(value), {
      message: 'TEST_DATABASE must be auto, docker, local or mysql://user:password@host:port',
    })
  }
})
