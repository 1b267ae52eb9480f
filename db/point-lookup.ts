import type { CompiledQuery } from 'kysely'
import { Batcher, type BatchRuntime, MAX_BATCH } from './batcher.ts'
import { StatementTooLargeError } from './errors.ts'
import type { Scope } from './scope.ts'
import { faultOf } from './server-errors.ts'

/** What lookups run with. */
export interface LookupRuntime extends BatchRuntime {
  /** The rows of one SELECT, which ends with its scope. */
  read<Row>(query: CompiledQuery<Row>, scope: Scope | undefined): Promise<readonly Row[]>
}

/** A row, and which of the statement's keys it belongs to, from 0. */
export interface Placed {
  readonly place: number
}

/** Reads rows by key, as many as are asked for together with one statement; one that fails is asked for by itself. */
export class PointLookup<Key, Row extends Placed> {
  readonly #runtime: LookupRuntime
  readonly #batcher: Batcher<Key, Row | undefined>
  /** For 1, 2, 4, 8 ... keys. */
  readonly #statements: readonly CompiledQuery<Row>[]

  /** @param build the statement for so many keys: they are its parameters, in order, and its rows tell their places */
  constructor(runtime: LookupRuntime, build: (size: number) => CompiledQuery<Row>) {
    this.#runtime = runtime
    this.#batcher = new Batcher(runtime, {
      read: (keys, scope) => this.#read(keys, scope),
      mayBeOneKeys,
    })
    this.#statements = Array.from({ length: Math.log2(MAX_BATCH) + 1 }, (_, power) => build(2 ** power))
  }

  /**
   * The row of this key; undefined when there is none.
   * @throws the scope's reason, and what a read throws
   */
  find(key: Key): Promise<Row | undefined> {
    return this.#batcher.ask(key)
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

/** One that the column cannot hold, or is too large. What an operator stopped, or must mend, would only come again. */
function mayBeOneKeys(error: unknown): boolean {
  const fault = faultOf(error)
  return fault === 'unfit' || fault === 'incomparable' || error instanceof StatementTooLargeError
}
