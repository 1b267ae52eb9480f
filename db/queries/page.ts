import { type Expression, expressionBuilder, type SqlBool, sql } from 'kysely'
import { PositionUnusableError } from '../errors.ts'
import { faultOf } from '../server-errors.ts'

/** What one page of a keyset walk asks for. `Sort` is the resource's own fixed list. */
export interface PageRequest<Sort extends string> {
  readonly sort: Sort
  /** Where the page before ended; absent on the first page. */
  readonly after?: PagePosition | undefined
  /** Rows wanted, 1-100. */
  readonly limit: number
}

/**
 * Where a page ended: the sort column's value and the row's id, which breaks ties. A walk continues with what lies
 * beyond this pair, so rows that come or go in between cannot shift it, as they would shift an offset.
 */
export interface PagePosition {
  readonly value: PageValue
  readonly id: number
}
type PageValue = string | number | Date

export interface Page<Row> {
  readonly items: readonly Row[]
  /** Where the next page starts; absent when this is the last one. */
  readonly end?: PagePosition
}

/** How a sort is carried out: the column and its direction; the table's id follows in the same direction. */
export interface SortOrder<Column extends string = string> {
  readonly column: Column
  readonly direction: 'asc' | 'desc'
}

/** The conditions of a walk over (`column`, `idColumn`), both in the same direction: none on the first page. */
export function beyond(order: SortOrder, idColumn: string, position: PagePosition | undefined): Expression<SqlBool>[] {
  if (!position) return []
  const eb = expressionBuilder<Record<string, never>, never>()
  const [past, atLeast] = order.direction === 'asc' ? (['>', '>='] as const) : (['<', '<='] as const)
  const column = sql.ref<PageValue>(order.column)
  // Not (a > x or (a = x and id > y)): neither server turns that into an index range; this form they do.
  return [
    eb(column, atLeast, position.value),
    eb.or([eb(column, past, position.value), eb(sql.ref<number>(idColumn), past, position.id)]),
  ]
}

/**
 * The rows of a page: none where a filter's text can equal none.
 * @throws PositionUnusableError, and what `read` throws
 */
export async function pageRows<Row>(
  { after }: PageRequest<string>,
  read: () => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  try {
    return await read()
  } catch (error) {
    if (faultOf(error) !== 'incomparable') throw error
    if (typeof after?.value !== 'string') return []
    throw new PositionUnusableError({ cause: error })
  }
}

/** Cuts the extra row that was read to learn whether there is a next page, and says where that page starts. */
export function toPage<Row>(rows: readonly Row[], limit: number, positionOf: (row: Row) => PagePosition): Page<Row> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return rows.length > limit && last !== undefined ? { items, end: positionOf(last) } : { items }
}

/** A `LIKE` pattern for "starts with `prefix`", in which the prefix's own wildcards stand for themselves. */
export function startsWithPattern(prefix: string): string {
  return `${prefix.replace(/[\\%_]/g, '\\$&')}%`
}
