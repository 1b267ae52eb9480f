import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { poolSettings } from '../../../db/index.ts'

test('README lists every pool setting with its unit, default and range', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
  const [, table = ''] = readme.split(
    '| pool setting | unit | default | from | to |\n| --- | --- | --- | --- | --- |\n',
  )
  const rows = table.slice(0, table.indexOf('\n\n')).split('\n')
  const expected = poolSettings.map((setting) => {
    const { name, unit, min, max } = setting
    return `| \`${name}\` | ${unit} | ${setting.default} | ${min} | ${max} |`
  })
  assert.deepEqual(rows, expected)
})
