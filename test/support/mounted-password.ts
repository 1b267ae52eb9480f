import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FaultServer } from './fault-site.ts'
import { changePassword, type LastingFault } from './server-faults.ts'

/** The account's password in a file, as the service reads it. */
export interface MountedPassword {
  readonly path: string
  /** Changes it at the server, once; when that is lifted the file has the new one too. */
  readonly change: () => Promise<LastingFault>
  /** The server has the first one again, and the file is gone. */
  readonly dispose: () => Promise<void>
}

export async function mountPassword(server: FaultServer): Promise<MountedPassword> {
  const folder = await mkdtemp(join(tmpdir(), 'still-here-secret-'))
  const path = join(folder, 'password')
  const password = await server.account.password()
  await writeFile(path, password)
  let changed: LastingFault | undefined
  return {
    path,
    change: async () => {
      changed = await changePassword(server, server.account)
      return { lift: () => writeFile(path, `${password}-changed`) }
    },
    dispose: async () => {
      await changed?.lift()
      await rm(folder, { recursive: true })
    },
  }
}
