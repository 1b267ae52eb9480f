// `npm run check:schema`: whether db/schema.ts is what the migrated schema says; with `--write` it is made so.
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { migrateToLatest } from '../../db/migrator.ts'
import { chooseServerKind } from './choose-server-kind.ts'
import { startSharedServer } from './shared-server.ts'
import { createSchemaOn } from './test-database.ts'
import { parseTestSettings } from './test-database-setting.ts'

const project = resolve(import.meta.dirname, '../..')
const say = (line: string) => process.stderr.write(`${line}\n`)

const settings = parseTestSettings(process.env)
const server = await startSharedServer(settings.database, await chooseServerKind(settings, say), say)
try {
  const { migrator } = await createSchemaOn(server.admin)
  await migrateToLatest(migrator, resolve(project, 'migrations'))
  const url = `mysql://${migrator.user}:${await migrator.password()}@${migrator.host}:${migrator.port}/${migrator.database}`
  const mode = process.argv.includes('--write') ? [] : ['--verify']
  const { status } = spawnSync(
    'kysely-codegen',
    ['--dialect', 'mysql', '--out-file', resolve(project, 'db/schema.ts'), '--url', url, ...mode],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  if (status !== 0) say('db/schema.ts is not what the migrations make: run `npm run check:schema -- --write`')
  process.exitCode = status ?? 1
} finally {
  await server.stop()
}
