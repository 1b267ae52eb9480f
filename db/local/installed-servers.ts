import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isExecutableFile } from './find-program.ts'
import { type BinaryVerdict, judgeBinary } from './server-binary.ts'

/** Looks at each `mariadbd` and `mysqld` of the folders, in their order; a program reached by two paths once. */
export async function* installedServers(
  folders: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<BinaryVerdict> {
  const seen = new Set<string>()
  for (const path of folders.flatMap((folder) => [join(folder, 'mariadbd'), join(folder, 'mysqld')])) {
    if (!isExecutableFile(path)) continue
    const program = realpathSync(path)
    if (seen.has(program)) continue
    seen.add(program)
    yield await judgeBinary(
      { command: [path], fixedArguments: [], shareFolders: shareFolders(program), origin: path },
      signal,
    )
  }
}

/** Beside the program first (an unpacked tarball), then where distributions put it (the program may be a wrapper script). */
function shareFolders(program: string): readonly string[] {
  const prefixes = new Set([dirname(dirname(program)), '/usr', '/usr/local'])
  return [...prefixes].flatMap((prefix) => [
    join(prefix, 'share/mysql'),
    join(prefix, 'share/mariadb'),
    join(prefix, 'share'),
  ])
}
