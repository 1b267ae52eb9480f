import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import { migrateToLatest } from '../../db/migrator.ts'
import { type Clients, type ClientsOptions, startClients } from './clients.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { faultsRun } from './faults-run.ts'
import { type OwnServer, type OwnServerOptions, startOwnServer } from './own-server.ts'
import { asAdmin } from './server-faults.ts'
import { type Service, type ServiceOptions, startService } from './service.ts'

const migrations = resolve(import.meta.dirname, '../../migrations')
const schema = 'stillherefaults'
// One for all servers of a run, so that what can log in to one can log in to the next.
const password = randomBytes(12).toString('hex')

/** A server of a test file's own with the sakila data, and the account that the service uses there. */
export interface FaultServer extends OwnServer {
  /** SELECT, INSERT, UPDATE and DELETE on one schema and nothing else; the same on every server of a run. */
  readonly account: ConnectionOptions
}

/** Starts a server for the faults of one file. */
export async function startFaultServer(options: OwnServerOptions = {}): Promise<FaultServer> {
  const server = await startOwnServer(options)
  const user = `${schema}app`
  await asAdmin(server, async (admin) => {
    await admin.query(`CREATE DATABASE ${schema}`)
    await admin.query(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`)
    await admin.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.* TO '${user}'@'%'`)
  })
  await migrateToLatest({ ...server.admin, database: schema }, migrations)
  const account = { ...server.app, database: schema, user, password: () => Promise.resolve(password) }
  return { ...server, account }
}

/** What one test uses: its own proxy and its own service behind it. */
export interface FaultSite {
  readonly proxy: FaultProxy
  readonly service: Service
  /** Clients of the service. Stopped with the site at the latest. */
  readonly startClients: (options?: Partial<ClientsOptions>) => Clients
  readonly dispose: () => Promise<void>
}

export interface FaultSiteOptions {
  /** Before the service starts, and so before its first connection. */
  readonly prepare?: (proxy: FaultProxy) => void | Promise<void>
  readonly environment?: Readonly<Record<string, string>>
  readonly passwordFile?: string
  /** `statements` for what the service has no route for. Default: what the run measures, ours or the yardstick. */
  readonly program?: 'statements'
  readonly breakage?: ServiceOptions['breakage']
}

/** Starts a proxy before the server and the service that is measured behind it: ours, or the yardstick. */
export async function openFaultSite(server: FaultServer, options: FaultSiteOptions = {}): Promise<FaultSite> {
  const proxy = await startFaultProxy(server.account)
  try {
    await options.prepare?.(proxy)
    const service = await startService({
      database: proxy.address,
      account: server.account,
      program: options.program ?? faultsRun.subject,
      ...(options.passwordFile !== undefined && { passwordFile: options.passwordFile }),
      ...(options.breakage && { breakage: options.breakage }),
      // A connection for each request: sixteen clients that share a lookup would never meet the other fifteen.
      environment: { LOOKUP_BATCH: '1', ...options.environment, STATEMENTS_POOL: faultsRun.subject },
    })
    const clients: Clients[] = []
    return {
      proxy,
      service,
      startClients: (clientsOptions) => {
        const started = startClients({ url: service.url, ...clientsOptions })
        clients.push(started)
        return started
      },
      dispose: async () => {
        // Clients last: their requests end when the service does.
        const stopped = clients.map((client) => client.stop())
        await service.stop()
        await Promise.all(stopped)
        await proxy.dispose()
      },
    }
  } catch (error) {
    await proxy.dispose()
    throw error
  }
}

/** Waits until `isSo`, and says how long that took, in ms; Infinity when it was not so within `limitMs`. */
export async function until(isSo: () => boolean | Promise<boolean>, limitMs: number): Promise<number> {
  const startedAtMs = performance.now()
  while (!(await isSo())) {
    if (performance.now() - startedAtMs > limitMs) return Number.POSITIVE_INFINITY
    await sleep(5)
  }
  return performance.now() - startedAtMs
}
