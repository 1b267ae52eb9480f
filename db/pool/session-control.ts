import { isReadOnlyValue } from '../read-only.ts'
import type { Connection, Session } from './connection.ts'

/**
 * What the server says of a session. `hidden`: it is there, and at work as somebody else. While a routine or trigger runs
 * with its definer's rights (SQL SECURITY DEFINER, the default), its session is not in the list that its own user sees.
 */
export type SessionState = 'busy' | 'hidden' | 'idle' | 'gone'

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

/** A session in the process list. */
interface ListedSession {
  readonly id: number
  readonly host: string
  readonly command: string
}

/** Longest wait for the control connection's answer, in ms. */
const ANSWER_TIMEOUT_MS = 250
/** The same for what the server itself waits for, in seconds: less, so that its answer comes in time. */
const EXPLAIN_LIMIT_S = 0.1
/** How often a session that hides is looked for before it is left, and how often it is killed once it was seen. */
const SIGHT_ATTEMPTS = 6
const KILL_ATTEMPTS = 16
/** ER_NO_SUCH_THREAD and ER_KILL_DENIED_ERROR, on both servers. */
const NO_SUCH_THREAD = 1094
const KILL_DENIED = 1095

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
    const by = await this.#sight(session)
    if (by === 'gone') return true
    for (let attempt = 1; by && attempt <= KILL_ATTEMPTS; attempt += 1) {
      const errno = await by.askForErrno(`KILL ${session.id}`, ANSWER_TIMEOUT_MS)
      if (errno === 0 || errno === NO_SUCH_THREAD) return true
      if (errno !== KILL_DENIED) return false // else it is hidden again
    }
    return false
  }

  /**
   * The connection that saw the session with its HOST, for a KILL over the same: another may lead to another server, or to
   * this one restarted, where the id is somebody else's. Nothing is killed by its id alone.
   */
  async #sight(session: Session): Promise<Connection | 'gone' | undefined> {
    // A statement that calls a routine for each row hides its session and shows it again all the time.
    for (let attempt = 1; attempt <= SIGHT_ATTEMPTS; attempt += 1) {
      const found = await this.#look([session])
      const state = found?.states.get(session)
      if (state === 'gone') return state
      if (state !== 'hidden') return state && found?.by
    }
    return undefined
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
    const rows = answer.rows as readonly ListedSession[]
    const states = new Map<Session, SessionState>()
    for (const session of sessions) {
      if (!canBeAskedAbout(session) || session.server !== by.session.server) continue
      const row = rows.find(({ id }) => id === session.id)
      const state = row ? stateOf(row, session) : await stateOfMissing(session, by)
      if (state) states.set(session, state)
    }
    return { by, states }
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

function stateOf({ host, command }: ListedSession, session: Session): SessionState {
  if (host !== session.host) return 'gone' // its id is another's by now
  return command === 'Sleep' ? 'idle' : 'busy'
}

/**
 * What has become of a session that is not in the list; undefined when the server does not say. 1094 alone means that it is
 * gone: of one that is hidden MariaDB says 1227, MySQL 1045, or 3012 while it runs a CALL.
 */
async function stateOfMissing({ id, flavour }: Session, by: Connection): Promise<SessionState | undefined> {
  // MariaDB's answer waits for a session that can be seen again until that one next looks up: for a sleep, to its end.
  const bound = flavour === 'mariadb' ? `SET STATEMENT max_statement_time = ${EXPLAIN_LIMIT_S} FOR ` : ''
  const errno = await by.askForErrno(`${bound}EXPLAIN FOR CONNECTION ${id}`, ANSWER_TIMEOUT_MS)
  if (errno === undefined) return undefined
  return errno === NO_SUCH_THREAD ? 'gone' : 'hidden'
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
  return { version: String(version), isReadOnly: isReadOnlyValue(isReadOnly), maxConnections: Number(maxConnections) }
}
