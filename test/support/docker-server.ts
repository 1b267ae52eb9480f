import { randomBytes } from 'node:crypto'
import {
  GenericContainer,
  getContainerRuntimeClient,
  type StartedTestContainer,
  type WaitStrategy,
} from 'testcontainers'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import { findFreePort, isPortFree } from '../../db/local/free-port.ts'
import { waitUntilReady } from '../../db/local/wait-until-ready.ts'
import type { ServerLogin } from './test-database-setting.ts'

const dataFolder = '/var/lib/mysql'
const startLimitMs = 120_000

/** Small memory and no binary log; all else as the image has it. */
const serverArguments = [
  '--skip-log-bin',
  '--mysqlx=OFF',
  '--innodb-buffer-pool-size=32M',
  '--innodb-redo-log-capacity=32M',
]

export interface DockerServerOptions {
  readonly image: string
  /** After ours, and so stronger. Default: none. */
  readonly serverArguments?: readonly string[]
  /** A folder of this machine that the container has too, under the same path. Default: none. */
  readonly sharedFolder?: string
  /** Faster, but a container that is restarted begins with an empty server. Default false. */
  readonly dataInMemory?: boolean
}

export interface DockerServer {
  readonly admin: ServerLogin
  readonly app: ServerLogin
  readonly container: StartedTestContainer
}

/**
 * Starts a MySQL container on a host port of our choice: a mapped port would change when it is restarted.
 * @throws Error with the container's last lines
 */
export async function startDockerServer(options: DockerServerOptions): Promise<DockerServer> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort()
    try {
      return await startOnPort(options, port)
    } catch (error) {
      // Somebody took the port between our look and Docker's.
      if (attempt === 3 || (await isPortFree(port))) throw error
    }
  }
}

async function startOnPort(options: DockerServerOptions, port: number): Promise<DockerServer> {
  const admin = { host: '127.0.0.1', port, user: 'root', password: randomBytes(12).toString('hex') }
  const app = { ...admin, user: 'app', password: randomBytes(12).toString('hex') }
  const container = new GenericContainer(options.image)
    .withEnvironment({
      MYSQL_ROOT_PASSWORD: admin.password,
      MYSQL_DATABASE: 'sakila',
      MYSQL_USER: app.user,
      MYSQL_PASSWORD: app.password,
    })
    .withExposedPorts({ container: 3306, host: port })
    .withCommand([...serverArguments, ...(options.serverArguments ?? [])])
    .withWaitStrategy(untilLogin(toConnectionOptions(admin)))
  const { sharedFolder } = options
  if (sharedFolder) container.withBindMounts([{ source: sharedFolder, target: sharedFolder }])
  if (options.dataInMemory) container.withTmpFs({ [dataFolder]: 'rw' })
  return { admin, app, container: await container.start() }
}

/** An account's options; without a schema of its own it gets `mysql`, which each server has. */
export function toConnectionOptions({ password, ...login }: ServerLogin, database = 'mysql'): ConnectionOptions {
  return { ...login, password: () => Promise.resolve(password), database }
}

/** Ready when a login works. A server that ends instead is noticed at once: what it wrote becomes the error. */
function untilLogin(admin: ConnectionOptions): WaitStrategy {
  const strategy: WaitStrategy = {
    waitUntilReady: async ({ id }) => {
      const ended = new AbortController()
      const client = await getContainerRuntimeClient()
      const container = client.container.getById(id)
      void container.wait().then(
        () => ended.abort(),
        () => ended.abort(),
      )
      await waitUntilReady(admin, AbortSignal.any([ended.signal, AbortSignal.timeout(startLimitMs)])).catch(
        async (cause: unknown) => {
          const log = await container.logs({ stdout: true, stderr: true, tail: 15 })
          throw new Error(`the container did not become ready:\n${log.toString('utf8')}`, { cause })
        },
      )
    },
    withStartupTimeout: () => strategy,
    isStartupTimeoutSet: () => true,
    getStartupTimeout: () => startLimitMs,
  }
  return strategy
}
