import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, test } from 'vitest'
import { UsageError } from '../../bench/option-values.ts'
import { parsePoolOptions } from '../../bench/pool-options.ts'

const project = resolve(import.meta.dirname, '../..')
const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A folder with these files. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'still-here-checkout-'))
  folders.push(folder)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

function problemsOf(...args: string[]): readonly string[] {
  try {
    parsePoolOptions(args)
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error))
    const lines = error.message.split('\n')
    assert.equal(lines.at(-1), 'npm run bench:pool -- --help shows what there is')
    return lines.slice(0, -1)
  }
  return []
}

/** Why a folder is not taken. */
function reasonOf(files: Readonly<Record<string, string>>): string | undefined {
  const folder = folderOf(files)
  const [problem, ...more] = problemsOf('--against', folder)
  assert.deepEqual(more, [])
  return problem?.replace(
    `--against: must be another checkout of this project with its node_modules; '${folder}': `,
    '',
  )
}

test('without arguments the pool is measured against stock, thirty times, on a database of its own', () => {
  assert.deepEqual(parsePoolOptions([]), { database: { name: 'local' }, pairs: 30 })
})

test('server, pairs and another checkout are taken as given', () => {
  assert.deepEqual(parsePoolOptions(['--database', 'docker', '--pairs', '60', '--against', `${project}/docs/..`]), {
    database: { name: 'docker' },
    pairs: 60,
    against: { folder: project },
  })
})

test('--help wins over everything else', () => {
  assert.equal(parsePoolOptions(['--help', '--pairs', 'many']), undefined)
})

test('every wrong value is told at once, and a password is not repeated', () => {
  assert.deepEqual(problemsOf('--pairs', '5', '--database', 'postgres://root:secret@db', '--against', '/no/such'), [
    "--against: must be another checkout of this project with its node_modules; '/no/such': there is no such folder",
    '--database: must be local, docker or mysql://user:password@host:port',
    "--pairs: must be an integer from 6 to 1000; got '5'",
  ])
  assert.deepEqual(problemsOf('--pairs', '1001'), ["--pairs: must be an integer from 6 to 1000; got '1001'"])
})

test('options that there are not, and stray words, are refused', () => {
  assert.match(problemsOf('--rounds', '3').join(), /--rounds/)
  assert.match(problemsOf('fast').join(), /fast/)
})

test('a folder that cannot be run as a checkout is refused with the reason', () => {
  const own = { name: 'still-here', dependencies: { mysql2: '1', kysely: '1' } }
  const manifest = { 'package.json': JSON.stringify(own) }
  const programs = { ...manifest, 'src/server.ts': '', 'bench/pool-server.ts': '' }
  assert.equal(reasonOf({}), 'there is no package.json that can be read')
  assert.equal(reasonOf({ 'package.json': '{' }), 'there is no package.json that can be read')
  assert.equal(reasonOf({ 'package.json': '{}' }), 'it is a checkout of something without a name')
  assert.equal(reasonOf({ 'package.json': '{"name":"hono"}' }), 'it is a checkout of hono')
  assert.equal(reasonOf(manifest), 'there is no src/server.ts')
  assert.equal(reasonOf({ ...manifest, 'src/server.ts': '' }), 'there is no bench/pool-server.ts')
  const mysql2 = { 'node_modules/mysql2/package.json': '{}' }
  assert.equal(reasonOf({ ...programs, ...mysql2 }), 'kysely is not in its node_modules (npm ci)')
  assert.equal(reasonOf({ ...programs, ...mysql2, 'node_modules/kysely/package.json': '{}' }), undefined)
})
