import type { Database } from '../db/index.ts'
import type { Log } from './log.ts'

/** The control connection, and one more while another is replaced. */
const BESIDE_POOL = 2
/** The migration, and a few for people and their tools. */
const FOR_OTHERS = 1 + 5

/** How many processes of this pool size a server lets in: (replicas + maxSurge) x perProcess + 6 <= max_connections. Pure. */
export function sumConnections(poolSize: number, maxConnections: number) {
  const perProcess = poolSize + BESIDE_POOL
  return { perProcess, maxConnections, processes: Math.max(0, Math.floor((maxConnections - FOR_OTHERS) / perProcess)) }
}

/** Says once, when the server has answered, for how many processes it has room: a warning below two, which a rollout needs. */
export function createConnectionSumReport(log: Log): (database: Database) => Promise<void> {
  let isDone = false
  return async (database) => {
    if (isDone) return
    isDone = true
    const { server } = await database.health()
    if (!server) {
      isDone = false // with the next connection
      return
    }
    const sum = sumConnections(database.poolOptions.size, server.maxConnections)
    if (sum.processes < 2)
      log.warn(sum, 'max_connections leaves no room for a second process: lower POOL_SIZE or raise it')
    else log.info(sum, 'max_connections has room for so many processes of this POOL_SIZE')
  }
}
