import { runCommand } from './run-command.ts'
import {
  describeVersion,
  isSupported,
  oldestSupported,
  parseServerVersion,
  type ServerVersion,
} from './server-version.ts'

/** A server program that can be run here. */
export interface ServerBinary {
  readonly version: ServerVersion
  /** Program and what must come before every other argument (a loader needs the server as its own first argument). */
  readonly command: readonly string[]
  /** Where its files are, when they are not where it was built to look. */
  readonly fixedArguments: readonly string[]
  /** Folders that may have MariaDB's `*_system_tables.sql`. */
  readonly shareFolders: readonly string[]
  /** For people: `/usr/sbin/mariadbd`. */
  readonly origin: string
}

/** What a look at a program found. */
export type BinaryVerdict =
  | { readonly name: 'usable'; readonly binary: ServerBinary }
  | { readonly name: 'passedOver'; readonly reason: string }

/** Runs `--version` (at most 10 s) and judges the program by the answer, not by its name. */
export async function judgeBinary(binary: Omit<ServerBinary, 'version'>, signal?: AbortSignal): Promise<BinaryVerdict> {
  const limits = [AbortSignal.timeout(10_000), ...(signal ? [signal] : [])]
  try {
    // Without --no-defaults a mistake in the machine's my.cnf would hide a good server.
    const command = [...binary.command, '--no-defaults', '--version']
    const { stdout } = await runCommand(command, { signal: AbortSignal.any(limits) })
    const version = parseServerVersion(stdout)
    if (version === undefined) return { name: 'passedOver', reason: `${binary.origin} does not tell its version` }
    if (!isSupported(version)) {
      const reason = `${binary.origin} is ${describeVersion(version)}, older than ${oldestSupported(version.flavour)}`
      return { name: 'passedOver', reason }
    }
    return { name: 'usable', binary: { ...binary, version } }
  } catch (error) {
    signal?.throwIfAborted()
    return {
      name: 'passedOver',
      reason: `${binary.origin} cannot be run (${error instanceof Error ? error.message : error})`,
    }
  }
}
