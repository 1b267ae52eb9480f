/** What the pool uses of a mysql2 pool connection, declared structurally so that a fake is ten lines. */
export interface MysqlConnection {
  readonly threadId: number
  readonly stream: MysqlSocket
  query(sql: string, parameters: readonly unknown[], callback?: MysqlCallback): MysqlQuery
  prepare(sql: string, callback: (error: unknown, statement?: MysqlStatement) => void): unknown
  /** Closes a prepared statement on the server. */
  unprepare(sql: string): unknown
  ping(callback: (error: unknown) => void): void
  reset(callback: (error: unknown) => void): void
  /** Leaves mysql2's pool and half-closes the socket. */
  destroy(): void
  /** With `gracefulEnd`: leaves mysql2's pool and sends COM_QUIT. */
  end(callback?: (error: unknown) => void): void
  on(event: 'error' | 'end', listener: (error?: unknown) => void): unknown
}

export interface MysqlStatement {
  /** As the server described them at PREPARE. */
  readonly parameters: readonly ColumnDefinition[]
  execute(parameters: readonly unknown[], callback: MysqlCallback): unknown
}

/** A column or a parameter, numbers as in the protocol. */
export interface ColumnDefinition {
  readonly columnType: number
  readonly characterSet: number
  readonly flags: number
}

interface MysqlSocket {
  readonly bytesRead: number
  destroy(): void
}

interface MysqlQuery {
  stream(): MysqlRows
  /** `end` comes also after an error, and after the last row that a destroyed stream has not taken. */
  on(event: 'error' | 'end', listener: (error?: unknown) => void): unknown
}

/** Yields rows; after `destroy` the rest of them is still read from the socket, and dropped. */
export interface MysqlRows extends AsyncIterable<unknown> {
  destroy(reason: Error): void
}

type MysqlCallback = (error: unknown, result?: unknown, columns?: readonly ColumnDefinition[]) => void

/** What the pool uses of `mysql2.createPool`: only as a factory; its own queue and idle list stay empty. */
export interface MysqlFactory {
  getConnection(callback: (error: unknown, connection?: MysqlConnection) => void): void
}
