import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import { installedServers } from '../../../db/local/installed-servers.ts'

let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'still-here-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** A program that only tells a version. */
async function install(path: string, version: string): Promise<void> {
  const file = join(folder, path)
  await mkdir(join(file, '..'), { recursive: true })
  await writeFile(file, `#!/bin/sh\necho "server  Ver ${version} for Linux"\n`)
  await chmod(file, 0o755)
}

async function found(...folders: readonly string[]): Promise<readonly string[]> {
  const verdicts: string[] = []
  for await (const verdict of installedServers(folders.map((name) => join(folder, name)))) {
    const text =
      verdict.name === 'usable' ? `${verdict.binary.origin} ${verdict.binary.version.flavour}` : verdict.reason
    verdicts.push(text.replaceAll(`${folder}/`, ''))
  }
  return verdicts
}

test('goes through the folders in order, and prefers mariadbd within one', async () => {
  await install('b/mariadbd', '11.4.2-MariaDB')
  await install('b/mysqld', '9.7.4')
  await install('a/mysqld', '8.4.0')
  assert.deepEqual(await found('a', 'b'), ['a/mysqld mysql', 'b/mariadbd mariadb', 'b/mysqld mysql'])
})

test('looks once at a program that is reached by two names', async () => {
  await install('a/mariadbd', '10.11.19-MariaDB')
  await symlink('mariadbd', join(folder, 'a/mysqld'))
  assert.deepEqual(await found('a'), ['a/mariadbd mariadb'])
})

test('passes over what is too old, and says so', async () => {
  await install('a/mariadbd', '10.6.18-MariaDB')
  await install('a/mysqld', '8.0.40')
  assert.deepEqual(await found('a'), [
    'a/mariadbd is MariaDB 10.6.18, older than 10.11',
    'a/mysqld is MySQL 8.0.40, older than 8.4',
  ])
})

test('passes over a program that is not a server or cannot be executed', async () => {
  await install('a/mysqld', 'unknown')
  await install('b/mysqld', '9.7.4')
  await chmod(join(folder, 'b/mysqld'), 0o644)
  assert.deepEqual(await found('a', 'b', 'missing'), ['a/mysqld does not tell its version'])
})
