import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort } from '../../db/local/free-port.ts'
import { type LocalDatabase, startLocalDatabase } from '../../db/local/local-database.ts'
import { findGaleraProvider } from './galera-provider.ts'
import { localFolder } from './local-folder.ts'
import { queryAsAdmin } from './server-faults.ts'
import type { ServerLogin } from './test-database-setting.ts'

export interface GaleraNode {
  readonly admin: LocalDatabase['admin']
  readonly login: ServerLogin
}

/** A cluster of real nodes on 127.0.0.1, each of which takes writes. */
export interface GaleraCluster {
  readonly nodes: readonly GaleraNode[]
  readonly dispose: () => Promise<void>
}

/**
 * Starts a cluster of nodes of the throw-away database's own kind (MariaDB), in about 5 s. No state is transferred: each begins
 * with the same empty data, and joins before anything is written.
 * @throws Error when there is no Galera, or no MariaDB
 */
export async function startGaleraCluster(size = 3): Promise<GaleraCluster> {
  const provider = await findGaleraProvider()
  const ports: number[] = []
  while (ports.length < size) ports.push(await findFreePort())
  const databases: LocalDatabase[] = []
  const work = await mkdtemp(join(tmpdir(), 'galera-'))
  const dispose = async () => {
    await Promise.all(databases.map((database) => database.stop()))
    await rm(work, { recursive: true, force: true })
  }
  try {
    for (const [place, port] of ports.entries()) {
      const folder = await mkdtemp(join(work, 'node-'))
      const database = await startNode(provider, port, folder, await joining(databases[0], ports[0], folder))
      databases.push(database)
      if (database.flavour !== 'mariadb') throw new Error('Galera is MariaDB')
      await untilJoined(database, place + 1)
    }
    return { nodes: await Promise.all(databases.map(toNode)), dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function startNode(
  provider: string,
  port: number,
  folder: string,
  joining: readonly string[],
): Promise<LocalDatabase> {
  return await startLocalDatabase({
    folder: localFolder,
    environment: process.env,
    say: (line) => console.info(line),
    ephemeral: true,
    serverArguments: [
      '--wsrep-on=ON',
      ...joining,
      `--wsrep-provider=${provider}`,
      '--wsrep-cluster-name=still-here',
      `--wsrep-node-address=127.0.0.1:${port}`,
      '--wsrep-sst-method=skip',
      `--wsrep-provider-options=base_dir=${folder};gmcast.listen_addr=tcp://127.0.0.1:${port};ist.recv_addr=127.0.0.1:${await findFreePort()}`,
      '--wsrep-slave-threads=2',
      '--binlog-format=ROW',
      '--innodb-autoinc-lock-mode=2',
      '--innodb-flush-log-at-trx-commit=2',
    ],
  })
}

/** The first node makes the cluster. The others are told that they have all of it, which is nothing yet: so none is sent. */
async function joining(first: LocalDatabase | undefined, port: number | undefined, folder: string) {
  if (!first) return ['--wsrep-cluster-address=gcomm://']
  const rows = await queryAsAdmin(first, "SHOW STATUS LIKE 'wsrep_%'")
  const statusOf = (name: string): unknown => rows.find((row) => row['Variable_name'] === name)?.['Value']
  const [uuid, seqno] = [statusOf('wsrep_cluster_state_uuid'), statusOf('wsrep_last_committed')]
  await writeFile(join(folder, 'grastate.dat'), `version: 2.1\nuuid: ${uuid}\nseqno: ${seqno}\nsafe_to_bootstrap: 0\n`)
  return [`--wsrep-cluster-address=gcomm://127.0.0.1:${port}`, `--wsrep-start-position=${uuid}:${seqno}`]
}

/** Resolves when the node is one of `size` and takes statements. */
async function untilJoined(database: LocalDatabase, size: number): Promise<void> {
  const deadlineAtMs = performance.now() + 30_000
  for (;;) {
    const rows = await queryAsAdmin(
      database,
      `SELECT GROUP_CONCAT(variable_value ORDER BY variable_name) AS state FROM information_schema.global_status
        WHERE variable_name IN ('wsrep_cluster_size', 'wsrep_ready')`,
    )
    const state = rows[0]?.['state']
    if (state === `${size},ON`) return
    if (performance.now() > deadlineAtMs) throw new Error(`node ${size} did not join: ${state}`)
    await sleep(50)
  }
}

async function toNode({ admin }: LocalDatabase): Promise<GaleraNode> {
  const { host, port, user } = admin
  return { admin, login: { host, port, user, password: await admin.password() } }
}
