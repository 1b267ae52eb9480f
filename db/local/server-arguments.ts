import { join } from 'node:path'
import type { ServerBinary } from './server-binary.ts'
import type { Flavour } from './server-version.ts'

/** What tells one run of a server from another. */
export interface ServerSettings {
  /** The data folder as `createDataFolder` makes it; holds `data` and `tmp`. */
  readonly folder: string
  readonly port: number
  /** Come last, and so win. */
  readonly extraArguments: readonly string[]
}

// Small memory, no files beside the data folder, and a stop that does not wait. What statements see (character set,
// sql_mode, time zone, wait_timeout) stays as the server has it: the service must cope with a server's defaults.
const common = [
  '--innodb-buffer-pool-size=32M',
  '--innodb-buffer-pool-dump-at-shutdown=OFF',
  '--innodb-buffer-pool-load-at-startup=OFF',
  '--performance-schema=OFF',
  '--skip-log-bin',
]

const byFlavour: Record<Flavour, readonly string[]> = {
  mariadb: ['--innodb-log-file-size=16M', '--aria-pagecache-buffer-size=8M', '--key-buffer-size=1M'],
  mysql: ['--innodb-redo-log-capacity=32M', '--mysqlx=OFF', '--secure-file-priv=NULL'],
}

/** The command line of initialisation and of a run alike, up to where they differ. */
export function baseCommand(binary: ServerBinary, folder: string): readonly string[] {
  const temporary = join(folder, 'tmp')
  return [
    ...binary.command,
    '--no-defaults',
    ...binary.fixedArguments,
    `--datadir=${join(folder, 'data')}`,
    `--tmpdir=${temporary}`,
    ...common,
    ...byFlavour[binary.version.flavour],
    // SELECT ... INTO OUTFILE as root must not reach the machine's files. Only MySQL can switch it off altogether.
    ...(binary.version.flavour === 'mariadb' ? [`--secure-file-priv=${temporary}`] : []),
    // Both servers refuse to run as root unless told to. Another user could not reach a checkout below a home of mode 0700,
    // and the change of user would clear the death signal (guard.ts). It listens on the loopback only.
    ...(process.getuid?.() === 0 ? ['--user=root'] : []),
  ]
}

/** The command line of a server that serves. */
export function serveCommand(binary: ServerBinary, settings: ServerSettings): readonly string[] {
  return [
    ...baseCommand(binary, settings.folder),
    '--bind-address=127.0.0.1',
    `--port=${settings.port}`,
    // No socket: its path would have to fit into 107 bytes, and nobody uses it.
    '--socket=',
    '--pid-file=server.pid',
    '--skip-name-resolve',
    `--init-file=${join(settings.folder, 'accounts.sql')}`,
    ...settings.extraArguments,
  ]
}
