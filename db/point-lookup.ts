import type { CompiledQuery } from 'kysely'
import { asDriverError } from './classify-error.ts'
import type { Clock } from './clock.ts'
import { DeadlineExceededError } from './errors.ts'
import { Scope } from './scope.ts'

/** Most keys of one statement: more save little, and make an answer wait for more others. A power of two. */
export const MAX_LOOKUP_BATCH = 32
/** So many statements are under way before lookups wait for one of them to come back, and so for company. */
const UNHURRIED_IN_FLIGHT = 2
/** Longest wait for company, in ms: a slow or silent database must be met by the pool, which knows whom to refuse. */
const PATIENCE_MS = 5
/** A statement ends at the first deadline of its callers: who has that much more time, in ms, does not share it. */
const SAME_DEADLINE_MS = 50

/** What lookups run with. */
export interface LookupRuntime {
  readonly clock: Clock
  /** Most keys of one statement, up to `MAX_LOOKUP_BATCH`, the default; 1: every lookup alone. */
  readonly maxBatch?: number | undefined
  currentScope(): Scope | undefined
  /** The rows of one SELECT, which ends with its scope. */
  read<Row>(query: CompiledQuery<Row>, scope: Scope | undefined): Promise<readonly Row[]>
  /** Runs `task` when everything that this turn of the event loop has brought was handled. */
  afterPoll(task: () => void): void
}

/** A row, and which of the statement's keys it belongs to, from 0. */
export interface Placed {
  readonly place: number
}

/**
 * Reads rows by key. Lookups of one turn of the event loop share a statement, and so a round trip; none waits for a later
 * turn unless two statements are under way. Nothing is kept: every answer is read after it was asked for. Callers do not
 * touch each other: who leaves leaves alone, and when a statement fails on its own account each key is asked by itself.
 */
export class PointLookup<Key, Row extends Placed> {
  readonly #runtime: LookupRuntime
  readonly #maxBatch: number
  /** For 1, 2, 4, 8 ... keys. */
  readonly #statements: readonly CompiledQuery<Row>[]
  #waiting: Lookup<Key, Row>[] = []
  #inFlight = 0
  #isScheduled = false
  #cancelPatience: (() => void) | undefined

  /** @param build the statement for so many keys: they are its parameters, in order, and its rows tell their places */
  constructor(runtime: LookupRuntime, build: (size: number) => CompiledQuery<Row>) {
    this.#runtime = runtime
    this.#maxBatch = runtime.maxBatch ?? MAX_LOOKUP_BATCH
    this.#statements = Array.from({ length: Math.log2(MAX_LOOKUP_BATCH) + 1 }, (_, power) => build(2 ** power))
  }

  /**
   * The row of this key; undefined when there is none.
   * @throws the scope's reason, and what a read throws
   */
  find(key: Key): Promise<Row | undefined> {
    const scope = this.#runtime.currentScope()
    if (this.#maxBatch === 1) return this.#read([key], scope).then(([row]) => row)
    const lookup = new Lookup<Key, Row>(key, scope)
    this.#waiting.push(lookup)
    if (!this.#isScheduled) {
      this.#isScheduled = true
      this.#runtime.afterPoll(() => {
        this.#isScheduled = false
        this.#sendReady()
      })
    }
    return lookup.answered
  }

  #sendReady(): void {
    while (this.#waiting.length > 0) {
      if (this.#inFlight >= UNHURRIED_IN_FLIGHT && this.#waiting.length < this.#maxBatch) {
        this.#cancelPatience ??= this.#runtime.clock.schedule(PATIENCE_MS, () => {
          this.#sendNext()
          this.#sendReady() // who does not share that statement waits for the next
        })
        return
      }
      this.#sendNext()
    }
  }

  #sendNext(): void {
    this.#cancelPatience?.()
    this.#cancelPatience = undefined
    const batch = this.#takeBatch()
    if (batch.length === 0) return
    this.#inFlight += 1
    void this.#answer(batch).then(() => {
      this.#inFlight -= 1
      this.#sendReady()
    })
  }

  /** Those who came first, as many as may share a statement. */
  #takeBatch(): readonly Lookup<Key, Row>[] {
    const batch: Lookup<Key, Row>[] = []
    const others: Lookup<Key, Row>[] = []
    for (const lookup of this.#waiting) {
      if (lookup.isOver) continue
      const isAlike = !(Math.abs(lookup.deadlineAtMs - (batch[0] ?? lookup).deadlineAtMs) > SAME_DEADLINE_MS)
      if (batch.length < this.#maxBatch && isAlike) batch.push(lookup)
      else others.push(lookup)
    }
    this.#waiting = others
    return batch
  }

  /** Settles every lookup of the batch. Never rejects. */
  async #answer(batch: readonly Lookup<Key, Row>[]): Promise<void> {
    for (const lookup of batch) lookup.isSent = true
    const { scope, end } = this.#sharedScope(batch)
    try {
      const keys = batch.map(({ key }) => key)
      const rows = await this.#read(keys, scope)
      for (const [place, lookup] of batch.entries()) lookup.resolve(rows[place])
    } catch (error) {
      // The server refuses the statement: that may be one key's fault.
      if (batch.length > 1 && asDriverError(error).errno !== undefined) {
        await Promise.all(batch.map((lookup) => this.#answer([lookup])))
      } else {
        // At a deadline each is told of its own.
        const isLate = error instanceof DeadlineExceededError
        for (const lookup of batch) lookup.reject((isLate && lookup.scope?.reason) || error)
      }
    } finally {
      end()
    }
  }

  /** Ends at the first deadline of the batch, or when the last of its callers has left. */
  #sharedScope(batch: readonly Lookup<Key, Row>[]): { readonly scope: Scope | undefined; readonly end: () => void } {
    const [first] = batch
    if (batch.length === 1 && first?.scope) return { scope: first.scope, end: () => {} } // its owner ends it
    const deadlineAtMs = Math.min(...batch.map((lookup) => lookup.deadlineAtMs))
    const scope = new Scope(this.#runtime.clock, deadlineAtMs - this.#runtime.clock.now())
    let present = batch.length
    for (const lookup of batch) {
      lookup.onLeave = (reason) => {
        present -= 1
        if (present === 0) scope.abort(reason)
      }
    }
    return { scope, end: () => scope.end() }
  }

  /** The rows by their keys' places. */
  async #read(keys: readonly Key[], scope: Scope | undefined): Promise<readonly (Row | undefined)[]> {
    const power = Math.ceil(Math.log2(keys.length))
    const statement = this.#statements[power]
    if (!statement) throw new RangeError(`no statement for ${keys.length} keys`)
    const parameters: unknown[] = [...keys]
    while (parameters.length < 2 ** power) parameters.push(keys[0])
    const rows = await this.#runtime.read<Row>({ ...statement, parameters }, scope)
    const found: (Row | undefined)[] = []
    for (const row of rows) found[row.place] = row
    return found
  }
}

/** One caller's question. */
class Lookup<Key, Row> {
  readonly key: Key
  readonly scope: Scope | undefined
  readonly answered: Promise<Row | undefined>
  /** Called when the caller's time is up, or it has left. */
  onLeave: ((reason: Error) => void) | undefined
  isSent = false
  isOver = false
  #resolve!: (row: Row | undefined) => void
  #reject!: (reason: unknown) => void

  constructor(key: Key, scope: Scope | undefined) {
    this.key = key
    this.scope = scope
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (scope?.reason) this.#leave(scope.reason)
    else scope?.addListener(this.#leave)
  }

  get deadlineAtMs(): number {
    return this.scope?.deadlineAtMs ?? Number.POSITIVE_INFINITY
  }

  resolve(row: Row | undefined): void {
    this.#end()
    this.#resolve(row)
  }

  reject(reason: unknown): void {
    this.#end()
    this.#reject(reason)
  }

  readonly #leave = (reason: Error): void => {
    // Its statement ends by then, too, and knows whether it ran or still waited for a connection.
    if (this.isSent && reason instanceof DeadlineExceededError) return
    this.reject(reason)
    this.onLeave?.(reason)
  }

  #end(): void {
    this.isOver = true
    this.scope?.removeListener(this.#leave)
  }
}
