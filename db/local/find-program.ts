import { accessSync, constants, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'

/** The environment of the process, handed in by the entry. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Server programs live in folders that are not in an ordinary user's PATH. */
const systemFolders = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
  '/usr/libexec',
  '/usr/local/libexec',
]

/** Where programs are looked for: PATH in its order, then the system's folders. Relative entries of PATH are left out. */
export function programFolders(environment: Environment): readonly string[] {
  const { PATH: path = '' } = environment
  const fromPath = path.split(':').filter((folder) => isAbsolute(folder))
  return [...new Set([...fromPath, ...systemFolders])]
}

/** The full path of the first executable of that name, or undefined. */
export function findProgram(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutableFile)
}

export function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    // Missing, not ours to run, or below a folder that we may not enter: all the same to the one who asks.
    return false
  }
}
