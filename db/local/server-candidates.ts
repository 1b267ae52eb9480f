import { access, constants, mkdir } from 'node:fs/promises'
import { cachedServerFolder, cacheFolders, openCachedServer } from './cached-server.ts'
import { downloadServer } from './download-server.ts'
import { type Environment, programFolders } from './find-program.ts'
import type { Guard } from './guard.ts'
import { installedServers } from './installed-servers.ts'
import type { ServerBinary } from './server-binary.ts'

export interface CandidateOptions {
  /** Gets a cache of its own when the user has no usable home. */
  readonly folder: string
  readonly environment: Environment
  readonly guard: Guard
  /** Told what is about to take long. */
  readonly say: (line: string) => void
  /** Told why a way did not work. */
  readonly giveUp: (reason: string) => void
  /** Told why a server that is there is not used. */
  readonly passOver: (reason: string) => void
  readonly signal?: AbortSignal
}

/** The servers that can be used here, best first: installed, cached, downloaded. Each is looked for when the one before failed. */
export async function* serverCandidates(options: CandidateOptions): AsyncGenerator<ServerBinary> {
  const { environment, folder, giveUp, passOver, signal } = options
  let isInstalled = false
  for await (const verdict of installedServers(programFolders(environment), signal)) {
    isInstalled = true
    if (verdict.name === 'usable') yield verdict.binary
    else passOver(verdict.reason)
  }
  if (!isInstalled) giveUp('no mariadbd or mysqld is installed')
  const caches = cacheFolders(environment, folder)
  for (const cache of caches) {
    const verdict = await openCachedServer(cachedServerFolder(cache), signal)
    if (verdict?.name === 'usable') return yield verdict.binary
    if (verdict?.name === 'passedOver') passOver(verdict.reason)
  }
  const binary = await download(caches, options)
  if (binary !== undefined) yield binary
}

async function download(caches: readonly string[], options: CandidateOptions): Promise<ServerBinary | undefined> {
  const { environment, guard, say, giveUp, signal } = options
  try {
    const cache = await firstWritable(caches)
    say(`downloading MariaDB with apt-get: about 25 MB, once, into ${cache}; needs no root`)
    const folders = programFolders(environment)
    await downloadServer(cache, { programFolders: folders, guard, environment, ...(signal && { signal }) })
    const verdict = await openCachedServer(cachedServerFolder(cache), signal)
    if (verdict?.name === 'usable') return verdict.binary
    giveUp(verdict?.reason ?? 'the downloaded package has no mariadbd')
  } catch (error) {
    signal?.throwIfAborted()
    giveUp(`downloading MariaDB failed: ${error instanceof Error ? error.message : String(error)}`)
  }
  return undefined
}

async function firstWritable(folders: readonly string[]): Promise<string> {
  const failures: unknown[] = []
  for (const folder of folders) {
    try {
      await mkdir(folder, { recursive: true })
      await access(folder, constants.W_OK)
      return folder
    } catch (error) {
      failures.push(error)
    }
  }
  throw new AggregateError(failures, `no folder to keep it in can be written: ${folders.join(', ')}`)
}
