import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { startLocalDatabase } from '../../db/local/local-database.ts'
import type { Flavour } from '../../db/local/server-version.ts'
import { startDockerServer } from './docker-server.ts'
import { localFolder } from './local-folder.ts'
import type { ServerKind } from './provided-context.ts'
import type { ServerLogin, TestDatabaseSetting } from './test-database-setting.ts'

export interface RunningServer {
  readonly admin: ServerLogin
  /** For people. */
  readonly where: string
  readonly stop: () => Promise<void>
}

/** The server that a test run shares: the one that was named, or a new one with data of its own. */
export async function startSharedServer(
  setting: TestDatabaseSetting,
  kind: ServerKind,
  say: (line: string) => void,
): Promise<RunningServer> {
  if (setting.name === 'server') {
    return { admin: setting.server, where: 'TEST_DATABASE', stop: () => Promise.resolve() }
  }
  if (kind.name === 'docker') {
    const { admin, container } = await startDockerServer({ image: kind.image, dataInMemory: true })
    return { admin, where: `Docker, ${kind.image}`, stop: async () => void (await container.stop()) }
  }
  const database = await startLocalDatabase({ folder: localFolder, environment: process.env, say, ephemeral: true })
  const { host, port, user, password } = database.admin
  return { admin: { host, port, user, password: await password() }, where: 'local', stop: database.stop }
}

/** Asks the server what it is. */
export async function readVersion(admin: ServerLogin): Promise<{ flavour: Flavour; version: string }> {
  const connection = await createConnection({ ...admin, connectTimeout: 5_000 })
  try {
    const [rows] = await connection.query<(RowDataPacket & { version: string })[]>('SELECT VERSION() AS version')
    const version = rows[0]?.version ?? 'unknown'
    return { flavour: /mariadb/i.test(version) ? 'mariadb' : 'mysql', version }
  } finally {
    await connection.end()
  }
}
