import { mkdir, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { ConnectionOptions } from '../connection-options.ts'
import { loginOptions, readAccounts } from './accounts.ts'
import { createEphemeralFolder, createSlotFolder, isForeign, slotFolder, sweepAbandoned } from './data-folder.ts'
import { DatabaseStartError, NoLocalDatabaseError } from './errors.ts'
import { type Environment, programFolders } from './find-program.ts'
import { findGuard, type Guard } from './guard.ts'
import { type LocalServerOptions, startOnFreePort } from './local-server.ts'
import { createRestartableServer, type RestartableServer } from './restartable-server.ts'
import type { ServerBinary } from './server-binary.ts'
import { serverCandidates } from './server-candidates.ts'
import type { ServerExit, ServerProcess } from './server-process.ts'
import { describeVersion, type Flavour, versionNumber } from './server-version.ts'

/** More than one checkout ever runs at once; the bound ends a search that cannot succeed. */
const maxSlots = 32

export interface LocalDatabaseOptions {
  /** Where its data is kept, for example `<checkout>/.local`. Made when missing. */
  readonly folder: string
  /** Of the process: PATH to find servers, HOME and XDG_CACHE_HOME to keep a downloaded one. */
  readonly environment: Environment
  /** Gets one line before each step that takes long. */
  readonly say: (line: string) => void
  /** Options for the server, after ours and so stronger. Default: none. */
  readonly serverArguments?: readonly string[]
  /** Data of its own that `stop` removes, for tests. Default false: kept between starts. */
  readonly ephemeral?: boolean
  /** Gives up the start: what runs for it is killed. Of no effect once the database is there. */
  readonly signal?: AbortSignal
}

/** A private server on 127.0.0.1. It dies with this process, however that ends. */
export interface LocalDatabase {
  readonly flavour: Flavour
  /** `10.11.19`. */
  readonly version: string
  /** May do everything within the schema `sakila`, and nothing outside of it. */
  readonly app: ConnectionOptions
  /** May do everything. */
  readonly admin: ConnectionOptions
  readonly dataFolder: string
  /** One line for people: which server, where it listens, where the data is. */
  readonly description: string
  /** Of the first process. */
  readonly pid: number
  /** Settles when the first process is gone, asked to or not. Does not keep this process alive. */
  readonly exited: Promise<ServerExit>
  /** For tests that stop, kill or freeze it and go on with the same data and port. */
  readonly server: RestartableServer
  /** Stops it within about a second; ephemeral data is removed. */
  readonly stop: () => Promise<void>
}

/**
 * Starts the throw-away database: with an installed server, else a cached one, else one that is downloaded without root.
 * The first start takes about 5 s with a download, later ones well below a second (MySQL: a second).
 * @throws NoLocalDatabaseError when no server can be had
 * @throws DatabaseStartError when a server does not start on data that is there
 */
export async function startLocalDatabase(options: LocalDatabaseOptions): Promise<LocalDatabase> {
  const folder = resolve(options.folder)
  const guard = findGuard(programFolders(options.environment))
  if (guard === undefined) {
    throw new NoLocalDatabaseError([
      'a server could outlive the service here: setpriv and flock (util-linux) are not installed',
    ])
  }
  await mkdir(folder, { recursive: true })
  await sweepAbandoned(folder, guard)
  const tried: string[] = []
  const giveUp = (reason: string) => void tried.push(reason)
  // Somebody installed that server and expects it to be used.
  const passOver = (reason: string) => {
    giveUp(reason)
    options.say(`${reason}: passed over`)
  }
  for await (const binary of serverCandidates({ ...options, folder, guard, giveUp, passOver })) {
    const started = await start(binary, { ...options, folder, guard, passOver })
    if (started !== undefined) return started
  }
  throw new NoLocalDatabaseError(tried)
}

interface StartOptions extends LocalDatabaseOptions {
  readonly guard: Guard
  readonly passOver: (reason: string) => void
}

/** Undefined when this server cannot be used here and another one may: Ubuntu's AppArmor keeps MySQL out of homes. */
async function start(binary: ServerBinary, options: StartOptions): Promise<LocalDatabase | undefined> {
  for (let slot = 1; slot <= maxSlots; slot += 1) {
    if (!options.ephemeral && (await isForeign(slotFolder(options.folder, binary, slot)))) continue
    const folder = await folderFor(binary, slot, options)
    if (folder === undefined) return undefined
    try {
      const server = { ...options, binary, folder, extraArguments: options.serverArguments ?? [] }
      const { port, outcome } = await startOnFreePort(server)
      if (outcome.name === 'escaped') return await giveUpEscaped(binary, folder, options)
      if (outcome.name === 'ready') return await createLocalDatabase(server, port, outcome.process, options)
    } catch (error) {
      if (options.ephemeral) await rm(folder, { recursive: true, force: true })
      throw error
    }
  }
  throw new DatabaseStartError(`all ${maxSlots} data folders in ${options.folder} are in use`, '')
}

async function giveUpEscaped(binary: ServerBinary, folder: string, options: StartOptions): Promise<undefined> {
  options.passOver(`${binary.origin} is a script that does not exec its server, which would outlive the service`)
  if (options.ephemeral) await rm(folder, { recursive: true, force: true })
}

async function folderFor(binary: ServerBinary, slot: number, options: StartOptions): Promise<string | undefined> {
  try {
    if (options.ephemeral) return await createEphemeralFolder(options.folder, binary, options)
    const folder = slotFolder(options.folder, binary, slot)
    await createSlotFolder(folder, binary, options)
    return folder
  } catch (error) {
    if (!(error instanceof DatabaseStartError)) throw error
    options.passOver(error.message)
    return undefined
  }
}

async function createLocalDatabase(
  serverOptions: LocalServerOptions,
  port: number,
  firstProcess: ServerProcess,
  options: StartOptions,
): Promise<LocalDatabase> {
  const { binary, folder } = serverOptions
  const accounts = await readAccounts(folder)
  // The signal ends a start, not a restart by a test.
  const { signal: _, ...restartOptions } = serverOptions
  const server = createRestartableServer(restartOptions, port, firstProcess)
  const kept = options.ephemeral ? 'its data goes when it stops' : `data kept in ${folder}`
  return {
    flavour: binary.version.flavour,
    version: versionNumber(binary.version),
    app: loginOptions('app', accounts, port),
    admin: loginOptions('admin', accounts, port),
    dataFolder: folder,
    description: `throw-away ${describeVersion(binary.version)} (${binary.origin}) on 127.0.0.1:${port}, ${kept}`,
    pid: firstProcess.pid,
    exited: firstProcess.exited,
    server,
    stop: async () => {
      await server.stop()
      if (options.ephemeral) await rm(folder, { recursive: true, force: true })
    },
  }
}
