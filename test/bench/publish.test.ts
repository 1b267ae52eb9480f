import assert from 'node:assert/strict'
import { test } from 'vitest'
import { replaceBlock } from '../../bench/publish.ts'

test('only what stands between the markers of that name is replaced', () => {
  const before = 'a\n<!-- bench:one -->\nold\n<!-- /bench:one -->\nb\n<!-- bench:two -->\n<!-- /bench:two -->\n'
  const after = 'a\n<!-- bench:one -->\nnew\n<!-- /bench:one -->\nb\n<!-- bench:two -->\n<!-- /bench:two -->\n'
  assert.equal(replaceBlock(before, 'one', 'new'), after)
  assert.equal(replaceBlock(after, 'one', 'new'), after)
})

test('a document without the markers is an error', () => {
  assert.throws(() => replaceBlock('a', 'one', 'new'), /<!-- bench:one -->/)
})
