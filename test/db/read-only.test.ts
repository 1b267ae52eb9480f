import assert from 'node:assert/strict'
import { test } from 'vitest'
import { isReadOnlyValue } from '../../db/read-only.ts'

test('a server is read-only by number or by word, and not where it does not say', () => {
  for (const value of [1, '1', 1n, 'ON', 'NO_LOCK', 'NO_LOCK_NO_ADMIN']) assert.equal(isReadOnlyValue(value), true)
  for (const value of [0, '0', 0n, 'OFF', undefined]) assert.equal(isReadOnlyValue(value), false)
})
