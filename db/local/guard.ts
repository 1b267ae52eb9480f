import { findProgram } from './find-program.ts'

/** The two tools of util-linux that tie a server to the process that started it. */
export interface Guard {
  readonly setpriv: string
  readonly flock: string
}

/** Exit code of a guarded command whose lock is held by another process. No server uses it. */
export const lockedExitCode = 111

/** Undefined where util-linux is missing (macOS, a bare Alpine): without it a killed service would leave a server behind. */
export function findGuard(folders: readonly string[]): Guard | undefined {
  const setpriv = findProgram('setpriv', folders)
  const flock = findProgram('flock', folders)
  return setpriv === undefined || flock === undefined ? undefined : { setpriv, flock }
}

/**
 * A command that dies with the process `parentPid`, however that one ends. All stages are `exec`s of one process, so that the
 * pid that `spawn` returns is the command's own.
 *
 * The signal is KILL, not TERM: a server that is frozen or stuck in its shutdown would outlive a TERM, and InnoDB recovers
 * from a kill as it does from a clean stop, only slower. The kernel forgets the death signal when a process changes its user,
 * so nothing after this may do that: the servers run with `--user=root` when we are root.
 *
 * A parent that dies before `setpriv` has asked for the signal would be missed, hence the look at `$PPID` after it.
 */
export function diesWithParent(guard: Guard, parentPid: number, command: readonly string[]): readonly string[] {
  const checkParent = '[ "$PPID" = "$1" ] || exit 112; shift; exec "$@"'
  return [guard.setpriv, '--pdeathsig', 'KILL', '/bin/sh', '-c', checkParent, 'sh', String(parentPid), ...command]
}

/**
 * A command that runs only while it holds the lock, and exits with `lockedExitCode` when another process does. The running
 * process itself holds it (`--no-fork` hands the open file on), so the kernel gives it back whichever way that process dies.
 */
export function holdsLock(guard: Guard, lockFile: string, command: readonly string[]): readonly string[] {
  const options = ['--nonblock', '--no-fork', '--conflict-exit-code', String(lockedExitCode)]
  return [guard.flock, ...options, lockFile, ...command]
}
