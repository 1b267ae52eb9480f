import { resolve } from 'node:path'
import { getContainerRuntimeClient } from 'testcontainers'
import type { ConnectionOptions } from '../db/connection-options.ts'
import { startLocalDatabase } from '../db/local/local-database.ts'
import { migrateToLatest } from '../db/migrator.ts'
import { startDockerServer } from '../test/support/docker-server.ts'
import { localFolder } from '../test/support/local-folder.ts'
import { readVersion } from '../test/support/shared-server.ts'
import { createSchemaOn } from '../test/support/test-database.ts'
import type { ServerLogin } from '../test/support/test-database-setting.ts'
import type { BenchOptions } from './options.ts'
import { readCpuMs } from './process-figures.ts'

const migrations = resolve(import.meta.dirname, '../migrations')

// Every stack keeps its pool open while the others are measured. Times are compared with the CSV's, which are UTC.
const serverArguments = ['--max-connections=4000', '--default-time-zone=+00:00']

export interface BenchServer {
  /** `MariaDB 10.11.19`. */
  readonly name: string
  readonly admin: ServerLogin
  /** Of the server's process since its start; undefined where it is not on this machine. */
  readonly cpuMs: () => Promise<number | undefined>
  readonly stop: () => Promise<void>
}

/** A schema of the benchmark's own, migrated. */
export interface BenchSchema {
  /** The runtime user. */
  readonly app: ConnectionOptions
  /** May do everything, in this schema by default. */
  readonly admin: ConnectionOptions
  readonly drop: () => Promise<void>
}

/** A fresh server of the kind that was asked for, or the one that was named. @throws NoLocalDatabaseError */
export async function startServer(
  setting: BenchOptions['database'],
  { say, settings = [] }: { readonly say: (line: string) => void; readonly settings?: readonly string[] },
): Promise<BenchServer> {
  const options = { serverArguments: [...serverArguments, ...settings] }
  if (setting.name === 'server') {
    return {
      name: await nameOf(setting.server),
      admin: setting.server,
      cpuMs: async () => undefined,
      stop: async () => {},
    }
  }
  if (setting.name === 'docker') {
    const image = process.env['TEST_MYSQL_IMAGE'] ?? 'mysql:9.7'
    const { admin, container } = await startDockerServer({ ...options, image, dataInMemory: true })
    const client = await getContainerRuntimeClient()
    const { Pid: pid } = (await client.container.getById(container.getId()).inspect()).State
    const stop = async () => void (await container.stop())
    return { name: `${await nameOf(admin)} in Docker`, admin, cpuMs: () => readCpuMs(pid), stop }
  }
  const local = await startLocalDatabase({
    ...options,
    folder: localFolder,
    environment: process.env,
    say,
    ephemeral: true,
  })
  const { host, port, user, password } = local.admin
  const admin = { host, port, user, password: await password() }
  return { name: await nameOf(admin), admin, cpuMs: () => readCpuMs(local.pid), stop: local.stop }
}

export async function createMigratedSchema(server: BenchServer): Promise<BenchSchema> {
  const { app, migrator, admin, drop } = await createSchemaOn(server.admin)
  await migrateToLatest(migrator, migrations)
  return { app, admin, drop }
}

async function nameOf(login: ServerLogin): Promise<string> {
  const { flavour, version } = await readVersion(login)
  return `${flavour === 'mariadb' ? 'MariaDB' : 'MySQL'} ${/^[\d.]+/.exec(version)?.[0] ?? version}`
}

/** As a stack is told where its database is. */
export async function urlOf({ host, port, user, password, database }: ConnectionOptions): Promise<string> {
  return `mysql://${user}:${encodeURIComponent(await password())}@${host}:${port}/${database}`
}
