import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { findProgram } from './find-program.ts'
import { type Guard, holdsLock } from './guard.ts'
import { type InitialiseOptions, initialise } from './initialise.ts'
import { runCommand } from './run-command.ts'
import type { ServerBinary } from './server-binary.ts'

/** An hour: nothing takes that long to initialise, and no test run lasts that long. */
const abandonedAfterMs = 3_600_000

/** Where a server of this series keeps its data: `mariadb-10.11-1`. A second one at the same time takes `-2`. */
export function slotFolder(parent: string, binary: ServerBinary, slot: number): string {
  const { flavour, major, minor } = binary.version
  return join(parent, `${flavour}-${major}.${minor}-${slot}`)
}

/** Whether somebody else made the folder (`sudo npm start`): a server leaves files there that we could not open. */
export async function isForeign(slot: string): Promise<boolean> {
  return existsSync(slot) && (await stat(slot)).uid !== process.getuid?.()
}

/** Makes the folder of a slot unless it is there. It gets its name when it is complete, so a crash leaves nothing half-made. */
export async function createSlotFolder(slot: string, binary: ServerBinary, options: InitialiseOptions): Promise<void> {
  if (existsSync(slot)) return
  const work = await createTemporaryFolder(join(slot, '..'), 'new-')
  try {
    await initialise(binary, work, options)
    await rename(work, slot)
  } catch (error) {
    await rm(work, { recursive: true, force: true })
    // Another start was faster: its folder is as good as ours, and the lock decides who may use it.
    if (!existsSync(slot)) throw error
  }
}

/** A data folder for one run, which its owner removes. */
export async function createEphemeralFolder(
  parent: string,
  binary: ServerBinary,
  options: InitialiseOptions,
): Promise<string> {
  const folder = await createTemporaryFolder(parent, 'ephemeral-')
  try {
    await initialise(binary, folder, options)
    return folder
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Removes what killed processes left: temporary folders that are an hour old and that no server holds. */
export async function sweepAbandoned(parent: string, guard: Guard): Promise<void> {
  const nowMs = await fileSystemNow(parent)
  const names = (await readdir(parent)).filter((name) => /^(new|now|ephemeral)-/.test(name))
  for (const folder of names.map((name) => join(parent, name))) {
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: nowMs }))
    if (nowMs - mtimeMs < abandonedAfterMs || (await isLocked(join(folder, 'lock'), guard))) continue
    await rm(folder, { recursive: true, force: true })
  }
}

/** By the clock that dated the folders; on a network file system that is not ours. */
async function fileSystemNow(parent: string): Promise<number> {
  const marker = await mkdtemp(join(parent, 'now-'))
  const { mtimeMs } = await stat(marker)
  await rmdir(marker)
  return mtimeMs
}

async function isLocked(lockFile: string, guard: Guard): Promise<boolean> {
  if (!existsSync(lockFile)) return false
  const { exitCode } = await runCommand(
    holdsLock(guard, lockFile, [findProgram('true', ['/bin', '/usr/bin']) ?? 'true']),
  )
  return exitCode !== 0
}

/** Readable by its owner only: it holds passwords. */
async function createTemporaryFolder(parent: string, prefix: string): Promise<string> {
  await mkdir(parent, { recursive: true })
  return await mkdtemp(join(parent, prefix))
}
