import type { CompiledQuery, RootOperationNode } from 'kysely'

/**
 * What a statement may do.
 * - `read`: a SELECT that locks nothing: it can always be asked again.
 * - `write`: INSERT, UPDATE, DELETE or a locking SELECT: changes rows, but not the session.
 * - `other`: all else, raw SQL too: it may change the session in ways that no server tells.
 */
export type StatementKind = 'read' | 'write' | 'other'

const markedReads = new WeakSet<RootOperationNode>()

/** Marks a raw statement as a read: it changes neither rows nor the session, and may run twice. */
export function asRead<T>(query: CompiledQuery<T>): CompiledQuery<T> {
  markedReads.add(query.query)
  return query
}

/** Told by Kysely's node, never by the text. */
export function statementKind({ query }: CompiledQuery): StatementKind {
  switch (query.kind) {
    case 'SelectQueryNode':
      return query.endModifiers?.length ? 'write' : 'read' // FOR UPDATE, FOR SHARE
    case 'InsertQueryNode':
    case 'UpdateQueryNode':
    case 'DeleteQueryNode':
      return 'write'
    default:
      return markedReads.has(query) ? 'read' : 'other'
  }
}
