import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolders } from '../../db/local/cached-server.ts'
import { findProgram, programFolders } from '../../db/local/find-program.ts'
import { lastLines, runCommand } from '../../db/local/run-command.ts'
import { localFolder } from './local-folder.ts'

const LIBRARY = 'usr/lib/galera/libgalera_smm.so'
const installed = [`/${LIBRARY}`, '/usr/lib64/galera-4/libgalera_smm.so', '/usr/lib64/galera/libgalera_smm.so']

/**
 * Galera's library, which no package of the server has: the system's, else a copy in the user's cache, else one that apt fetches
 * for it, without root and without touching the system.
 * @throws Error when there is none to be had
 */
export async function findGaleraProvider(): Promise<string> {
  const [cache = localFolder] = cacheFolders(process.env, localFolder)
  const root = join(cache, `galera-${process.platform}-${process.arch}`)
  const found = [...installed, join(root, LIBRARY)].find((path) => existsSync(path))
  if (found) return found
  const folders = programFolders(process.env)
  const [aptGet, dpkgDeb] = ['apt-get', 'dpkg-deb'].map((name) => findProgram(name, folders))
  if (!aptGet || !dpkgDeb) throw new Error('Galera is not installed, and there is no apt-get with dpkg-deb')
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, 'new-'))
  try {
    await run(['sh', '-c', 'cd "$1" && exec "$2" -q -o APT::Sandbox::User= download galera-4', 'sh', work, aptGet])
    const [archive = ''] = (await readdir(work)).filter((name) => name.endsWith('.deb'))
    await run([dpkgDeb, '--extract', join(work, archive), join(work, 'root')])
    await rename(join(work, 'root'), root)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return join(root, LIBRARY)
}

async function run(command: readonly string[]): Promise<void> {
  const { exitCode, output } = await runCommand(command)
  if (exitCode !== 0) throw new Error(`Galera cannot be had: ${lastLines(output, 3)}`)
}
