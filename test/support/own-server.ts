import { readdir, readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { getContainerRuntimeClient } from 'testcontainers'
import { inject } from 'vitest'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import { startLocalDatabase } from '../../db/local/local-database.ts'
import type { Flavour } from '../../db/local/server-version.ts'
import { waitUntilReady } from '../../db/local/wait-until-ready.ts'
import { startDockerServer, toConnectionOptions } from './docker-server.ts'
import { localFolder } from './local-folder.ts'
import { readVersion } from './shared-server.ts'
import type { ServerLogin } from './test-database-setting.ts'
import './provided-context.ts'

export interface OwnServerOptions {
  /** Options for the server, stronger than ours. Default: none. */
  readonly serverArguments?: readonly string[]
  /** A folder of this machine that the server has too, under the same path; one that runs here has all. Default: none. */
  readonly sharedFolder?: string
}

/** A server that one test file has for itself and may mistreat. Port and data stay through all of it. */
export interface OwnServer {
  readonly flavour: Flavour
  /** As the server says it. */
  readonly version: string
  /** May do everything. For `createSchemaOn`. */
  readonly login: ServerLogin
  /** The same, schema `sakila`. */
  readonly admin: ConnectionOptions
  /** May do everything within the schema `sakila`. */
  readonly app: ConnectionOptions
  /** After `stop` or `kill`; resolves when a login works. */
  readonly start: () => Promise<void>
  /** A clean stop. */
  readonly stop: () => Promise<void>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  /** Keeps its connections and answers nothing. */
  readonly freeze: () => Promise<void>
  readonly thaw: () => Promise<void>
  /** Writes a file where the server reads it. `path` is absolute, and of this machine only where the server is. */
  readonly writeFile: (path: string, text: string) => Promise<void>
  /** Stops it and removes its data. */
  readonly dispose: () => Promise<void>
}

/** Starts a server of the kind that the run uses. Takes under a second locally (MySQL: 5 s) and about 6 s in Docker. */
export async function startOwnServer(options: OwnServerOptions = {}): Promise<OwnServer> {
  const kind = inject('serverKind')
  return kind.name === 'docker' ? await startInDocker(kind.image, options) : await startLocally(options)
}

async function startLocally(options: OwnServerOptions): Promise<OwnServer> {
  const say = (line: string) => console.info(line)
  const database = await startLocalDatabase({
    ...options,
    folder: localFolder,
    environment: process.env,
    say,
    ephemeral: true,
  })
  const { admin, app, server } = database
  const { host, port, user } = admin
  const login = { host, port, user, password: await admin.password() }
  return {
    ...(await readVersion(login)),
    login,
    admin,
    app,
    start: server.start,
    stop: server.stop,
    kill: server.kill,
    freeze: async () => {
      server.freeze()
      await untilFrozen(server.pid())
    },
    thaw: async () => server.thaw(),
    writeFile,
    dispose: database.stop,
  }
}

/** Resolves when every thread has stopped. SIGSTOP reaches one of them first, and on a busy machine the others answer on. */
async function untilFrozen(pid: number | undefined): Promise<void> {
  const tasks = `/proc/${pid}/task`
  const isStopped = async (thread: string) => {
    const stat = await readFile(`${tasks}/${thread}/stat`, 'utf8').catch(() => ') T') // it has ended meanwhile
    return stat.slice(stat.lastIndexOf(') ') + 2).startsWith('T')
  }
  while (pid !== undefined && (await Promise.all((await readdir(tasks)).map(isStopped))).includes(false)) await sleep(1)
}

async function startInDocker(image: string, options: OwnServerOptions): Promise<OwnServer> {
  const server = await startDockerServer({ image, ...options })
  const client = await getContainerRuntimeClient()
  const container = client.container.getById(server.container.getId())
  const admin = toConnectionOptions(server.admin, 'sakila')
  const untilStopped = async () => {
    while ((await container.inspect()).State.Running) await sleep(20)
  }
  return {
    ...(await readVersion(server.admin)),
    login: server.admin,
    admin,
    app: toConnectionOptions(server.app, 'sakila'),
    start: async () => {
      await container.start()
      await waitUntilReady(admin, AbortSignal.timeout(60_000))
    },
    stop: async () => void (await container.stop({ t: 10 })),
    kill: async () => {
      await container.kill({ signal: 'SIGKILL' })
      await untilStopped()
    },
    freeze: async () => void (await container.pause()),
    thaw: async () => void (await container.unpause()),
    writeFile: async (path, content) =>
      await server.container.copyContentToContainer([{ content, target: path, mode: 0o644 }]),
    // Also a paused or stopped one.
    dispose: async () => void (await container.remove({ force: true, v: true })),
  }
}
