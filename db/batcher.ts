import type { Clock } from './clock.ts'
import { DeadlineExceededError } from './errors.ts'
import { Scope } from './scope.ts'

/** Most keys of one batch: more save little, and make an answer wait for more others. A power of two. */
export const MAX_BATCH = 32
/** So many batches are under way before keys wait for one of them to come back, and so for company. */
const UNHURRIED_IN_FLIGHT = 2
/** Longest wait for company, in ms: a slow or silent database must be met by the pool, which knows whom to refuse. */
const PATIENCE_MS = 5
/** A batch ends at the first deadline of its callers: who has that much more time, in ms, does not share it. */
const SAME_DEADLINE_MS = 50

export interface BatchRuntime {
  readonly clock: Clock
  /** Most keys of one batch, up to `MAX_BATCH`, the default; 1: every key alone. */
  readonly maxBatch?: number | undefined
  currentScope(): Scope | undefined
  /** Runs `task` when everything that this turn of the event loop has brought was handled. */
  afterPoll(task: () => void): void
}

export interface BatchRead<Key, Answer> {
  /** The answers in the order of their keys; ends with the scope. */
  readonly read: (keys: readonly Key[], scope: Scope | undefined) => Promise<readonly Answer[]>
  /** Whether a failure may be the fault of one key of several: then each is asked by itself. Default never. */
  readonly mayBeOneKeys?: (error: unknown) => boolean
}

/**
 * Answers callers together. Those of one turn of the event loop share a read, and so a round trip; none waits for a later
 * turn unless two reads are under way. Nothing is kept: every answer is read after it was asked for. Callers do not touch
 * each other: who leaves leaves alone.
 */
export class Batcher<Key, Answer> {
  readonly #runtime: BatchRuntime
  readonly #maxBatch: number
  readonly #read: BatchRead<Key, Answer>
  #waiting: Question<Key, Answer>[] = []
  #inFlight = 0
  #isScheduled = false
  #cancelPatience: (() => void) | undefined

  constructor(runtime: BatchRuntime, read: BatchRead<Key, Answer>) {
    this.#runtime = runtime
    this.#maxBatch = runtime.maxBatch ?? MAX_BATCH
    this.#read = read
  }

  /** @throws the scope's reason, and what the read throws */
  ask(key: Key): Promise<Answer> {
    const scope = this.#runtime.currentScope()
    if (this.#maxBatch === 1) return this.#read.read([key], scope).then((answers) => answers[0] as Answer)
    const question = new Question<Key, Answer>(key, scope)
    this.#waiting.push(question)
    if (!this.#isScheduled) {
      this.#isScheduled = true
      this.#runtime.afterPoll(() => {
        this.#isScheduled = false
        this.#sendReady()
      })
    }
    return question.answered
  }

  #sendReady(): void {
    while (this.#waiting.length > 0) {
      if (this.#inFlight >= UNHURRIED_IN_FLIGHT && this.#waiting.length < this.#maxBatch) {
        this.#cancelPatience ??= this.#runtime.clock.schedule(PATIENCE_MS, () => {
          this.#sendNext()
          this.#sendReady() // who does not share that read waits for the next
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
  #takeBatch(): readonly Question<Key, Answer>[] {
    const batch: Question<Key, Answer>[] = []
    const others: Question<Key, Answer>[] = []
    for (const question of this.#waiting) {
      if (question.isOver) continue
      const isAlike = !(Math.abs(question.deadlineAtMs - (batch[0] ?? question).deadlineAtMs) > SAME_DEADLINE_MS)
      if (batch.length < this.#maxBatch && isAlike) batch.push(question)
      else others.push(question)
    }
    this.#waiting = others
    return batch
  }

  /** Settles every question of the batch. Never rejects. */
  async #answer(batch: readonly Question<Key, Answer>[]): Promise<void> {
    for (const question of batch) question.isSent = true
    const { scope, end } = this.#sharedScope(batch)
    try {
      const keys = batch.map(({ key }) => key)
      const answers = await this.#read.read(keys, scope)
      for (const [place, question] of batch.entries()) question.resolve(answers[place] as Answer) // as many as keys
    } catch (error) {
      if (batch.length > 1 && this.#read.mayBeOneKeys?.(error)) {
        await Promise.all(batch.map((question) => this.#answer([question])))
      } else {
        // At a deadline each is told of its own.
        const isLate = error instanceof DeadlineExceededError
        for (const question of batch) question.reject((isLate && question.scope?.reason) || error)
      }
    } finally {
      end()
    }
  }

  /** Ends at the first deadline of the batch, or when the last of its callers has left. */
  #sharedScope(batch: readonly Question<Key, Answer>[]): { readonly scope: Scope; readonly end: () => void } {
    const [first] = batch
    if (batch.length === 1 && first?.scope) return { scope: first.scope, end: () => {} } // its owner ends it
    const deadlineAtMs = Math.min(...batch.map((question) => question.deadlineAtMs))
    const scope = new Scope(this.#runtime.clock, deadlineAtMs - this.#runtime.clock.now())
    let present = batch.length
    for (const question of batch) {
      question.onLeave = (reason) => {
        present -= 1
        if (present === 0) scope.abort(reason)
      }
    }
    return { scope, end: () => scope.end() }
  }
}

/** One caller's question. */
class Question<Key, Answer> {
  readonly key: Key
  readonly scope: Scope | undefined
  readonly answered: Promise<Answer>
  /** Called when the caller's time is up, or it has left. */
  onLeave: ((reason: Error) => void) | undefined
  isSent = false
  isOver = false
  #resolve!: (answer: Answer) => void
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

  resolve(answer: Answer): void {
    this.#end()
    this.#resolve(answer)
  }

  reject(reason: unknown): void {
    this.#end()
    this.#reject(reason)
  }

  readonly #leave = (reason: Error): void => {
    // Its read ends by then, too, and knows whether it ran or still waited for a connection.
    if (this.isSent && reason instanceof DeadlineExceededError) return
    this.reject(reason)
    this.onLeave?.(reason)
  }

  #end(): void {
    this.isOver = true
    this.scope?.removeListener(this.#leave)
  }
}
