import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { Environment } from './find-program.ts'
import { type BinaryVerdict, judgeBinary } from './server-binary.ts'

/** Where downloaded servers may be, best first: the user's cache, then `fallback` for a user without a usable home. */
export function cacheFolders(environment: Environment, fallback: string): readonly string[] {
  const { XDG_CACHE_HOME: cache = '', HOME: home = '' } = environment
  const folders = [cache, home === '' ? '' : join(home, '.cache')].filter((folder) => isAbsolute(folder)).slice(0, 1)
  return [...folders.map((folder) => join(folder, 'still-here')), join(fallback, 'cache')]
}

/** The folder of the unpacked server inside a cache folder. A home may be shared by machines of several kinds. */
export function cachedServerFolder(cacheFolder: string): string {
  return join(cacheFolder, `mariadb-${process.platform}-${process.arch}`)
}

/** Judges an unpacked Debian or Ubuntu package with all its libraries. It runs through its own loader and libc. */
export async function openCachedServer(root: string, signal?: AbortSignal): Promise<BinaryVerdict | undefined> {
  const server = join(root, 'usr/sbin/mariadbd')
  if (!existsSync(server)) return undefined
  const libraries = libraryFolders(root)
  const loader = libraries.flatMap(loadersIn)[0]
  const share = ['usr/share/mysql', 'usr/share/mariadb'].map((path) => join(root, path)).find(hasMessages)
  if (loader === undefined || share === undefined) {
    return { name: 'passedOver', reason: `${root} is incomplete: remove it to have it made again` }
  }
  return await judgeBinary(
    {
      command: [loader, '--library-path', libraries.join(':'), server],
      fixedArguments: [
        `--basedir=${join(root, 'usr')}`,
        `--lc-messages-dir=${share}`,
        `--character-sets-dir=${join(share, 'charsets')}`,
        `--plugin-dir=${join(root, 'usr/lib/mysql/plugin')}`,
      ],
      shareFolders: [share],
      origin: server,
    },
    signal,
  )
}

function libraryFolders(root: string): readonly string[] {
  return ['lib', 'usr/lib']
    .map((path) => join(root, path))
    .filter((path) => existsSync(path))
    .flatMap((path) =>
      readdirSync(path)
        .filter((name) => name.includes('-linux-'))
        .map((name) => join(path, name)),
    )
}

/** Only real files: the usual links to a loader are absolute and would lead out of the unpacked tree. */
function loadersIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => /^ld(-linux|64).*\.so\.\d+$/.test(name))
    .map((name) => join(folder, name))
    .filter((path) => lstatSync(path).isFile())
}

function hasMessages(share: string): boolean {
  return existsSync(join(share, 'english/errmsg.sys'))
}
