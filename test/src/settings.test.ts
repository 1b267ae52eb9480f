import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { type Setting, settings } from '../../src/settings.ts'

/** README's settings table, which starts with PORT: the variable's name and its default, the second cell. */
function readmeRows(): [string, string][] {
  const lines = readFileSync(new URL('../../README.md', import.meta.url), 'utf8').split('\n')
  const table = lines.slice(lines.findIndex((line) => line.startsWith('| `PORT`')))
  const end = table.findIndex((line) => !line.startsWith('|'))
  return table.slice(0, end).map((line) => {
    const [name = '', fallback = ''] = line.split('|').slice(1, 3)
    return [name.replaceAll('`', '').trim(), fallback.replaceAll('`', '').trim()]
  })
}

test('README lists every setting of src/ with its default, and no other', () => {
  const expected = Object.entries(settings).map(([name, setting]: [string, Setting<unknown>]) => [
    name,
    setting.fallback ?? '',
  ])
  assert.deepEqual(readmeRows(), expected)
})

test('every default is a value that would be accepted', () => {
  for (const [name, { fallback, parse }] of Object.entries(settings) as [string, Setting<unknown>][]) {
    if (fallback !== undefined) assert.notEqual(parse(fallback), undefined, name)
  }
})
