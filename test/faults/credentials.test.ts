import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, test } from 'vitest'
import { type FaultServer, openFaultSite, startFaultServer } from '../support/fault-site.ts'
import { atLeast, atMost, given, reportFigures } from '../support/figures.ts'
import { failedOf } from '../support/request-figures.ts'
import { asAdmin, openPlainConnection } from '../support/server-faults.ts'

const NEW_PASSWORD = 'the next one'

let server: FaultServer
let folder: string

beforeAll(async () => {
  server = await startFaultServer()
  folder = await mkdtemp(join(tmpdir(), 'still-here-secret-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await server.dispose()
})

/** Changes a mounted Secret as the kubelet does: a folder for each version, and one symbolic link that is replaced. */
async function mountSecret(password: string): Promise<string> {
  const version = await mkdtemp(join(folder, '..version-'))
  await writeFile(join(version, 'password'), `${password}\n`)
  await symlink(version, join(folder, '..data_tmp'))
  await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  return join(folder, '..data', 'password')
}

const alterUser = (clause: string) =>
  asAdmin(server, async (admin) => void (await admin.query(`ALTER USER '${server.account.user}'@'%' ${clause}`)))

test('a password that is rotated under load fails no request', async () => {
  const passwordFile = await mountSecret(await server.account.password())
  const site = await openFaultSite(server, { passwordFile })
  try {
    const clients = site.startClients()
    await sleep(1_000)
    // MySQL keeps the old one valid until it is told not to; on MariaDB only sessions that are open go on.
    const keepsOld = server.flavour === 'mysql'
    await alterUser(`IDENTIFIED BY '${NEW_PASSWORD}' ${keepsOld ? 'RETAIN CURRENT PASSWORD' : ''}`)
    if (keepsOld) site.proxy.cutAll('rst')
    await sleep(1_000)
    await mountSecret(NEW_PASSWORD)
    if (keepsOld) await alterUser('DISCARD OLD PASSWORD')
    site.proxy.resetCounts()
    site.proxy.cutAll('rst')
    await sleep(1_000)
    const records = await clients.stop()
    await assert.rejects(openPlainConnection(server.account), { errno: 1045 })
    await reportFigures('password rotated', server, [
      given('reads', records.length),
      atMost('failed reads', failedOf(records).length, 0),
      atLeast('connections opened with the new password', site.proxy.acceptedAtMs.length, 1),
    ])
  } finally {
    await site.dispose()
  }
})
