import type { Connection, Session } from './connection.ts'

/** What the server says of a session. */
export type SessionState = 'busy' | 'idle' | 'gone'

/** What the server says of itself. */
export interface ServerState {
  readonly version: string
  readonly isReadOnly: boolean
  readonly maxConnections: number
}

const DESCRIBE =
  'SELECT version() AS version, @@GLOBAL.read_only AS isReadOnly, @@GLOBAL.max_connections AS maxConnections LIMIT 1'

/** What a look at the process list found, and the connection that looked. */
interface Look {
  readonly states: ReadonlyMap<Session, SessionState>
  readonly by: Connection
}

/** Longest wait for the control connection's answer, in ms. */
const ANSWER_TIMEOUT_MS = 250

/**
 * Asks the server about sessions and kills them, over a connection of its own: that works with every other one taken.
 * It can always say that it does not know.
 */
export class SessionControl {
  readonly #open: (onDeath: () => void) => Promise<Connection | undefined>
  #connection: Promise<Connection | undefined> | undefined

  constructor(open: (onDeath: () => void) => Promise<Connection | undefined>) {
    this.#open = open
  }

  /** Opens the connection ahead of need: when it is needed the server may be full. */
  prepare(): void {
    void this.#acquire()
  }

  /** What the server says of each session; undefined when it cannot be asked. Sessions of other servers are left out. */
  async inspect(sessions: readonly Session[]): Promise<ReadonlyMap<Session, SessionState> | undefined> {
    return (await this.#look(sessions))?.states
  }

  /**
   * Ends this session and whatever it runs. KILL CONNECTION, not KILL QUERY: a late one cannot hit the session's next
   * statement, and a transaction's locks go with it. Resolves to false when that cannot be done or be told.
   */
  async kill(session: Session): Promise<boolean> {
    const found = await this.#look([session])
    const state = found?.states.get(session)
    if (!found || state === undefined) return false
    if (state === 'gone') return true
    // Over the same connection as the look: another may lead to another server, or to this one restarted, where the id
    // is somebody else's.
    return (await found.by.ask(`KILL ${session.id}`, ANSWER_TIMEOUT_MS)) !== undefined
  }

  /** What the server says of itself; undefined when it cannot be asked. */
  async describe(): Promise<ServerState | undefined> {
    const answer = await this.#ask(DESCRIBE)
    return answer && toServerState(answer.rows)
  }

  /** Keeps the connection from being forgotten, and finds out when it was. */
  async keepalive(): Promise<void> {
    await (await this.#connection)?.ping(ANSWER_TIMEOUT_MS)
  }

  /** Ends its connection. A later question opens another, where new connections lead then. */
  async close(): Promise<void> {
    const leaving = this.#connection
    this.#connection = undefined
    ;(await leaving)?.quit()
  }

  async #look(sessions: readonly Session[]): Promise<Look | undefined> {
    const ids = sessions.map(({ id }) => id)
    const answer = await this.#ask(
      `SELECT id, host, command FROM information_schema.processlist WHERE id IN (${ids.join(', ')}) LIMIT ${ids.length}`,
    )
    if (!answer) return undefined
    const { by } = answer
    const rows = answer.rows as readonly { id: number; host: string; command: string }[]
    const known = sessions.filter((session) => canBeAskedAbout(session) && session.server === by.session.server)
    const stateOf = (session: Session): SessionState => {
      const row = rows.find(({ id, host }) => id === session.id && host === session.host)
      return row === undefined ? 'gone' : row.command === 'Sleep' ? 'idle' : 'busy'
    }
    return { by, states: new Map(known.map((session) => [session, stateOf(session)])) }
  }

  /** Asks once more over a new connection when the old one is silent: the network may have forgotten it. */
  async #ask(sql: string): Promise<{ readonly rows: unknown; readonly by: Connection } | undefined> {
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const connection = await this.#acquire()
      if (!connection) return undefined
      const rows = await connection.ask(sql, ANSWER_TIMEOUT_MS)
      if (rows !== undefined) return { rows, by: connection }
    }
    return undefined
  }

  async #acquire(): Promise<Connection | undefined> {
    this.#connection ??= this.#openNext()
    return await this.#connection
  }

  #openNext(): Promise<Connection | undefined> {
    const forget = () => {
      if (this.#connection === opening) this.#connection = undefined
    }
    const opening = this.#open(forget).then((connection) => {
      if (!connection) forget()
      return connection
    })
    return opening
  }
}

/**
 * Whether the server can be asked about a session. One whose HOST is unknown, or behind a proxy, could be taken for
 * somebody else's. Over a Unix socket every HOST is `localhost`, and an id alone may be another session's after a restart
 * of the server.
 */
export function canBeAskedAbout({ host, isBehindProxy }: Session): boolean {
  return host?.includes(':') === true && !isBehindProxy
}

/** Asks over a connection that nobody else uses; undefined, and the connection dead, when it is silent. */
export async function describeServer(connection: Connection): Promise<ServerState | undefined> {
  const rows = await connection.ask(DESCRIBE, ANSWER_TIMEOUT_MS)
  return rows === undefined ? undefined : toServerState(rows)
}

/** Undefined for an answer without a row: a proxy's own. */
function toServerState(rows: unknown): ServerState | undefined {
  const [row] = rows as (Record<keyof ServerState, unknown> | undefined)[]
  if (!row) return undefined
  const { version, isReadOnly, maxConnections } = row
  return { version: String(version), isReadOnly: Number(isReadOnly) === 1, maxConnections: Number(maxConnections) }
}
