import assert from 'node:assert/strict'
import { test } from 'vitest'
import { renderMarkdown, renderText } from '../../bench/table.ts'

const table = [
  ['stack', 'requests/s', 'errors'],
  ['Go', '9', '0'],
  ['Connection per request', '1,320', '12'],
]

test('text aligns the first column to the left and the others to the right', () => {
  assert.equal(
    renderText(table),
    [
      'stack                   requests/s  errors',
      'Go                               9       0',
      'Connection per request       1,320      12',
    ].join('\n'),
  )
})

test('Markdown has a rule below its head that aligns in the same way', () => {
  assert.equal(
    renderMarkdown(table),
    [
      '| stack | requests/s | errors |',
      '| --- | ---: | ---: |',
      '| Go | 9 | 0 |',
      '| Connection per request | 1,320 | 12 |',
    ].join('\n'),
  )
})
