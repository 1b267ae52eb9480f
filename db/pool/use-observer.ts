import type { Flavour } from '../classify-error.ts'

/** Told of every use of a connection, on the hot path: it must be cheap. Times in ms. */
export interface UseObserver {
  /** A caller got its connection after so long. */
  waited(ms: number): void
  /** A caller gave its connection back after so long. */
  held(ms: number): void
  /** A statement ended, all of its runs included; `kind` is Kysely's name of its root node. */
  ran(use: StatementUse): void
}

export interface StatementUse {
  readonly flavour: Flavour
  readonly kind: string
  readonly ms: number
  /** What its caller is told, if it failed. */
  readonly error?: unknown
}

export const unobserved: UseObserver = { waited() {}, held() {}, ran() {} }
