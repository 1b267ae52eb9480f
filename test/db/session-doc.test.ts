import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { renderSessionDoc, sessionDoc } from '../support/session-doc.ts'

test('docs/session-variables.md is what the lists say: run `node test/support/session-doc.ts`', () => {
  assert.equal(readFileSync(sessionDoc, 'utf8'), renderSessionDoc())
})
