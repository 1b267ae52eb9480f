import assert from 'node:assert/strict'
import { test } from 'vitest'
import { isSupported, parseServerVersion, type ServerVersion } from '../../../db/local/server-version.ts'

const mariadb = (major: number, minor: number): ServerVersion => ({ flavour: 'mariadb', major, minor, patch: 0 })
const mysql = (major: number, minor: number): ServerVersion => ({ flavour: 'mysql', major, minor, patch: 0 })

test('tells the flavour by the version text, not by the name of the program', () => {
  assert.deepEqual(
    parseServerVersion('/usr/sbin/mysqld  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)\n'),
    { flavour: 'mariadb', major: 10, minor: 11, patch: 19 },
  )
  assert.deepEqual(
    parseServerVersion('/opt/mariadb/sbin/mysqld  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)'),
    {
      flavour: 'mysql',
      major: 8,
      minor: 4,
      patch: 3,
    },
  )
  assert.deepEqual(parseServerVersion('mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))'), {
    flavour: 'mysql',
    major: 9,
    minor: 7,
    patch: 4,
  })
})

test('does not take any other text for a server', () => {
  assert.equal(parseServerVersion('mysqld: command not found'), undefined)
  assert.equal(parseServerVersion(''), undefined)
})

test('takes MariaDB from 10.11 on', () => {
  assert.equal(isSupported(mariadb(10, 10)), false)
  assert.equal(isSupported(mariadb(10, 11)), true)
  assert.equal(isSupported(mariadb(11, 4)), true)
  assert.equal(isSupported(mariadb(5, 99)), false)
})

test('takes MySQL from 8.4 on', () => {
  assert.equal(isSupported(mysql(8, 3)), false)
  assert.equal(isSupported(mysql(8, 4)), true)
  assert.equal(isSupported(mysql(9, 0)), true)
})
