import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cachedServerFolder } from './cached-server.ts'
import { type Environment, findProgram } from './find-program.ts'
import { diesWithParent, type Guard } from './guard.ts'
import { lastLines, runCommand } from './run-command.ts'

export interface DownloadOptions {
  /** Where to look for apt-get and dpkg-deb. */
  readonly programFolders: readonly string[]
  readonly guard: Guard
  readonly environment: Environment
  readonly signal?: AbortSignal
}

/** Parts of the packages that a server never opens: two thirds of their size. */
const unneeded = ['etc', 'usr/bin', 'usr/share/doc', 'usr/share/man', 'usr/share/gcc', 'usr/share/gdb']

/**
 * Downloads MariaDB with this machine's own apt (its sources, its signature checks), without root and without touching the
 * system: apt gets a state folder of its own that says nothing is installed, and so fetches the libraries and libc too.
 * Two processes may do this at once: each unpacks into its own folder, and the first to finish gives it its name.
 * @throws Error with apt's last lines
 */
export async function downloadServer(cacheFolder: string, options: DownloadOptions): Promise<void> {
  const aptGet = findProgram('apt-get', options.programFolders)
  const dpkgDeb = findProgram('dpkg-deb', options.programFolders)
  if (aptGet === undefined || dpkgDeb === undefined)
    throw new Error('there is no apt-get with dpkg-deb on this machine')
  const work = await mkdtemp(join(cacheFolder, 'new-'))
  try {
    const run = (command: readonly string[]) => runOrThrow(command, options)
    const apt = [aptGet, ...(await prepareApt(work)), '-qq', '-y']
    await run([...apt, 'update'])
    await run([...apt, '--no-install-recommends', '--download-only', 'install', 'mariadb-server-core'])
    await unpack(work, dpkgDeb, run)
    await giveName(join(work, 'root'), cachedServerFolder(cacheFolder))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function prepareApt(work: string): Promise<readonly string[]> {
  await mkdir(join(work, 'state/lists/partial'), { recursive: true })
  await mkdir(join(work, 'cache/archives/partial'), { recursive: true })
  await writeFile(join(work, 'state/status'), '')
  const settings = {
    'Dir::State': join(work, 'state'),
    'Dir::State::status': join(work, 'state/status'),
    'Dir::Cache': join(work, 'cache'),
    'Dir::Log': work,
    'Debug::NoLocking': '1',
    // As root apt would drop to a user of its own, who cannot write here.
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    'Acquire::http::Timeout': '15',
    'Acquire::https::Timeout': '15',
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

async function unpack(
  work: string,
  dpkgDeb: string,
  run: (command: readonly string[]) => Promise<void>,
): Promise<void> {
  const root = join(work, 'root')
  const archives = join(work, 'cache/archives')
  await mkdir(root)
  for (const name of await readdir(archives)) {
    if (name.endsWith('.deb')) await run([dpkgDeb, '--extract', join(archives, name), root])
  }
  const libraries = ['lib', 'usr/lib'].map((path) => join(root, path)).filter((path) => existsSync(path))
  const gconv = (await Promise.all(libraries.map((path) => readdir(path, { withFileTypes: true }))))
    .flat()
    .map((entry) => join(entry.parentPath, entry.name, 'gconv'))
  const paths = [...unneeded.map((path) => join(root, path)), ...gconv]
  await Promise.all(paths.map((path) => rm(path, { recursive: true, force: true })))
}

async function giveName(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    // Another start was faster: its copy is as good as ours.
    if (!existsSync(to)) throw error
  }
}

async function runOrThrow(command: readonly string[], options: DownloadOptions): Promise<void> {
  const result = await runCommand(diesWithParent(options.guard, process.pid, command), {
    environment: { ...options.environment, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    ...(options.signal && { signal: options.signal }),
  })
  if (result.exitCode === 0) return
  throw new Error(`${command[0]} ended with ${result.exitCode ?? 'a signal'}: ${lastLines(result.output, 5)}`)
}
