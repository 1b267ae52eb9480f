import { Batcher, type BatchRuntime } from './batcher.ts'
import type { Scope } from './scope.ts'

export interface SharedReadRuntime extends BatchRuntime {
  runInScope<T>(scope: Scope, task: () => T): T
}

/** So many questions are remembered, to recognise those who ask the same; none of their answers is. */
const MAX_QUESTIONS = 100

type Read = () => Promise<unknown>

/** Lets callers who ask the same in the same turn of the event loop share the answer, and so its cost. */
export class SharedReads {
  readonly #runtime: SharedReadRuntime
  #byQuestion = new Map<string, Batcher<Read, unknown>>()

  constructor(runtime: SharedReadRuntime) {
    this.#runtime = runtime
  }

  /**
   * What `read` resolves with, or what the `read` of another caller with the same `question` does that began after this call.
   * @param question tells reads apart, of whatever kind they are
   * @throws the scope's reason, and what `read` throws
   */
  ask<Answer>(question: string, read: () => Promise<Answer>): Promise<Answer> {
    return this.#batcherOf(question).ask(read) as Promise<Answer> // the same question has the same kind of answer
  }

  #batcherOf(question: string): Batcher<Read, unknown> {
    const known = this.#byQuestion.get(question)
    if (known) return known
    // Anew instead of one out for one in: those under way come to their end without it.
    if (this.#byQuestion.size === MAX_QUESTIONS) this.#byQuestion = new Map()
    const batcher = new Batcher<Read, unknown>(this.#runtime, { read: (reads, scope) => this.#readOnce(reads, scope) })
    this.#byQuestion.set(question, batcher)
    return batcher
  }

  async #readOnce(reads: readonly Read[], scope: Scope | undefined): Promise<readonly unknown[]> {
    const [read] = reads
    if (!read) return []
    const answer = await (scope ? this.#runtime.runInScope(scope, read) : read())
    return reads.map(() => answer)
  }
}
