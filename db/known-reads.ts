import type { CompiledQuery } from 'kysely'
import { isVouchedFor, type StatementKind, statementKind } from './statement-kind.ts'

/** So many texts are remembered, and none that is longer than this. */
const MAX_TEXTS = 500
const MAX_LENGTH = 10_000

/**
 * Remembers the texts of reads: a look-up where telling by the nodes costs a walk for each statement that is built anew. What
 * nodes show of a text holds for the text, whoever builds it. What somebody vouched for is told each time.
 */
export class KnownReads {
  #texts = new Set<string>()

  kindOf(statement: CompiledQuery): StatementKind {
    if (this.#texts.has(statement.sql)) return 'read'
    const kind = statementKind(statement)
    if (kind === 'read' && !isVouchedFor(statement.query)) this.#remember(statement.sql)
    return kind
  }

  #remember(text: string): void {
    if (text.length > MAX_LENGTH) return
    // Anew instead of one out for one in: those that come often are soon back.
    if (this.#texts.size === MAX_TEXTS) this.#texts = new Set()
    this.#texts.add(text)
  }
}
