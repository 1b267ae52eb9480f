import type { TestProject } from 'vitest/node'
import { chooseServerKind } from './choose-server-kind.ts'
import { readVersion, startSharedServer } from './shared-server.ts'
import { parseTestSettings } from './test-database-setting.ts'

/** Run once for the integration project: starts the server that its files share. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const say = (line: string) => console.info(`[tests] ${line}`)
  const settings = parseTestSettings(process.env)
  const kind = await chooseServerKind(settings, say)
  const server = await startSharedServer(settings.database, kind, say)
  const { flavour, version } = await readVersion(server.admin)
  const { host, port } = server.admin
  say(`database: ${flavour === 'mariadb' ? 'MariaDB' : 'MySQL'} ${version} (${server.where}) at ${host}:${port}`)
  project.provide('serverKind', kind)
  project.provide('sharedServer', { flavour, version, admin: server.admin })
  return server.stop
}
