import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'vitest'
import { findFreePort } from '../../db/local/free-port.ts'

const entry = join(import.meta.dirname, '../../src/migrate.ts')

interface Ending {
  readonly code: unknown
  readonly stderr: string
}

function migrate(databaseUrl: string): Promise<Ending> {
  return new Promise((resolve) => {
    const env = { ...process.env, DATABASE_URL: databaseUrl }
    execFile(process.execPath, [entry], { env }, (error, _, stderr) => resolve({ code: error?.code ?? 0, stderr }))
  })
}

test('a migration that cannot connect says so and exits 1', async () => {
  const port = await findFreePort()
  const { code, stderr } = await migrate(`mysql://app:secret@127.0.0.1:${port}/sakila`)
  assert.match(stderr, /^no connection after \d+ ms .*: connect ECONNREFUSED .*\n$/)
  assert.equal(code, 1)
}, 15_000)
