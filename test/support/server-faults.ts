import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import type { OwnServer } from './own-server.ts'

/** What these helpers need of a server: an account that may do everything. `OwnServer` is one. */
type Server = Pick<OwnServer, 'admin'>

/** A fault that lasts until it is lifted; lifting it twice is harmless. */
export interface LastingFault {
  readonly lift: () => Promise<void>
}

/** A session as the server's process list has it. */
export interface ServerSession {
  readonly id: number
  /** The client's address and port as the server sees them. */
  readonly host: string
  /** `Sleep` when idle. */
  readonly command: string
  /** The running statement. */
  readonly info: string | null
}

/** Opens a plain connection, which nobody's pool knows of. A later loss of it is not an error here. */
export async function openPlainConnection(options: ConnectionOptions): Promise<Connection> {
  const { host, port, user, database } = options
  const password = await options.password()
  const connection = await createConnection({ host, port, user, password, database, connectTimeout: 2_000 })
  connection.on('error', () => {}) // whoever uses it then learns it from the statement
  return connection
}

/** Runs `task` with a connection of the server's admin. */
export async function asAdmin<T>(server: Server, task: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await openPlainConnection(server.admin)
  try {
    return await task(connection)
  } finally {
    connection.destroy()
  }
}

/** Every row of a statement run as admin. */
export async function queryAsAdmin(server: Server, sql: string): Promise<RowDataPacket[]> {
  return await asAdmin(server, async (connection) => (await connection.query<RowDataPacket[]>(sql))[0])
}

/** The sessions of one user (the service's), its pool's control connection among them. */
export async function listSessions(server: Server, user: string): Promise<readonly ServerSession[]> {
  return await asAdmin(server, (connection) => sessionsOf(connection, user))
}

async function sessionsOf(connection: Connection, user: string): Promise<readonly ServerSession[]> {
  const [rows] = await connection.query<(RowDataPacket & ServerSession)[]>(
    'SELECT id AS id, host AS host, command AS command, info AS info FROM information_schema.processlist WHERE user = ?',
    [user],
  )
  return rows
}

/** KILL CONNECTION for every session of `user`, and returns how many there were. */
export async function killSessions(server: Server, user: string): Promise<number> {
  return await asAdmin(server, async (connection) => {
    const sessions = await sessionsOf(connection, user)
    // One that ends by itself meanwhile is 1094, unknown thread.
    for (const { id } of sessions) await connection.query(`KILL ${id}`).catch(ignore(1094))
    return sessions.length
  })
}

/** Sets a global variable for sessions to come, and puts the old value back when it is lifted. */
export async function setGlobal(server: Server, name: string, value: number): Promise<LastingFault> {
  return await asAdmin(server, async (connection) => {
    const [rows] = await connection.query<RowDataPacket[]>(`SELECT @@GLOBAL.${name} AS value`)
    const before = Number(rows[0]?.['value'])
    await connection.query(`SET GLOBAL ${name} = ${value}`)
    return liftedOnce(() =>
      asAdmin(server, async (admin) => void (await admin.query(`SET GLOBAL ${name} = ${before}`))),
    )
  })
}

/** Sessions opened from now on are closed by the server after so many idle seconds (MySQL says 4031 first). */
export async function setWaitTimeout(server: Server, seconds: number): Promise<LastingFault> {
  return await setGlobal(server, 'wait_timeout', seconds)
}

/**
 * The server refuses writes with 1290, on open sessions too. Not those of a privileged user: the service's must have no
 * more than SELECT, INSERT, UPDATE and DELETE, as `createSchemaOn` makes it.
 */
export async function setReadOnly(server: Server): Promise<LastingFault> {
  return await setGlobal(server, 'read_only', 1)
}

/**
 * Takes every connection that the server has left, as `filler` (any account but an admin, who may still come in): whoever
 * connects gets 1040. Sessions that are open stay, and a place that one of them leaves is not taken.
 */
export async function fill(server: Server, filler: ConnectionOptions): Promise<LastingFault> {
  // Opened before: under a storm of attempts an admin does not get in either.
  const admin = await openPlainConnection(server.admin)
  const taken: Connection[] = []
  const before = await readNumber(admin, 'SELECT @@GLOBAL.max_connections AS value')
  const open = await readNumber(
    admin,
    "SELECT COUNT(*) AS value FROM information_schema.processlist WHERE command <> 'Daemon'",
  )
  // 10 is the least that MariaDB accepts.
  await admin.query(`SET GLOBAL max_connections = ${Math.max(10, open)}`)
  for (;;) {
    try {
      taken.push(await openPlainConnection(filler))
    } catch (error) {
      ignore(1040)(error)
      break
    }
  }
  return liftedOnce(async () => {
    await admin.query(`SET GLOBAL max_connections = ${before}`)
    for (const connection of [...taken, admin]) connection.destroy()
  })
}

async function readNumber(connection: Connection, sql: string): Promise<number> {
  const [rows] = await connection.query<RowDataPacket[]>(sql)
  return Number(rows[0]?.['value'])
}

/** New connections of `user` get 1045 until it is lifted; open ones stay. */
export async function changePassword(server: Server, user: ConnectionOptions): Promise<LastingFault> {
  const before = await user.password()
  await setPassword(server, user, `${before}-changed`)
  return liftedOnce(() => setPassword(server, user, before))
}

/** Changes the password of an account of `createSchemaOn` or `OwnServer`, whatever host it was made for. */
async function setPassword(server: Server, { user }: Pick<ConnectionOptions, 'user'>, password: string): Promise<void> {
  await asAdmin(server, async (connection) => {
    const [rows] = await connection.query<RowDataPacket[]>('SELECT host AS host FROM mysql.user WHERE user = ?', [user])
    for (const { host } of rows as { host: string }[]) {
      await connection.query(`ALTER USER '${user}'@'${host}' IDENTIFIED BY ${connection.escape(password)}`)
    }
  })
}

/** Every statement on `table` waits until it is lifted. `table` with its schema. */
export async function lockTable(server: Server, table: string): Promise<LastingFault> {
  const connection = await openPlainConnection(server.admin)
  await connection.query(`LOCK TABLES ${table} WRITE`)
  return liftedOnce(() => connection.end())
}

/** How many rows match, past all pools and proxies. */
export async function countRows(server: Server, table: string, where = '1 = 1'): Promise<number> {
  const [row] = await queryAsAdmin(server, `SELECT COUNT(*) AS count FROM ${table} WHERE ${where}`)
  return Number(row?.['count'])
}

function liftedOnce(lift: () => Promise<void>): LastingFault {
  let lifted: Promise<void> | undefined
  return {
    lift: () => {
      lifted ??= lift()
      return lifted
    },
  }
}

function ignore(errno: number): (error: unknown) => void {
  return (error) => {
    if ((error as { errno?: unknown }).errno !== errno) throw error
  }
}
