import { z } from '@hono/zod-openapi'
import type { Page } from '../db/index.ts'
import type { CursorCodec } from './cursor.ts'
import { type JsonAnswer, jsonAnswer } from './json-answer.ts'
import { choiceParam, integerParam } from './query-params.ts'

/** Parameters that every list takes. */
export const listParams = {
  limit: integerParam(1, 100).default(20),
  count: choiceParam(['exact'], 'Whether to count all that match.').optional(),
}

/** The schema of a list's body. */
export function listSchema<Item extends z.ZodType>(item: Item) {
  return z.strictObject({
    items: z.array(item),
    next: z.string().nullable().openapi({ description: 'The `after` of the next page; null on the last.' }),
    count: z.int().min(0).optional().openapi({ description: 'How many match; with `count=exact`.' }),
  })
}

/** The headers of a list's answer, for the document. */
export const listHeaders = {
  Link: { description: 'The next page, as `rel="next"`; absent on the last.', schema: { type: 'string' as const } },
}

interface ListParts<Item, Sort extends string> {
  readonly page: Page<Item>
  readonly sort: Sort
  readonly codec: CursorCodec<Sort>
  readonly count: number | undefined
}

interface ListBody<Item> {
  readonly items: Item[]
  readonly next: string | null
  readonly count?: number
}

/** A list ready to be sent, to several clients where several ask for the same: its body as text, its `Link` as a header. */
export interface ListText<Item> {
  readonly text: string
  readonly headers: Readonly<Record<string, string>>
  readonly isEmpty: boolean
  /** Only for the compiler. */
  readonly item?: Item
}

export function toListText<Item, Sort extends string>(
  url: string,
  { page: { items, end }, sort, codec, count }: ListParts<Item, Sort>,
): ListText<Item> {
  const next = end ? codec.encode({ sort, position: end }) : null
  return {
    text: JSON.stringify({ items, next, count }),
    headers: next === null ? {} : { Link: `<${nextReference(url, next)}>; rel="next"` },
    isEmpty: items.length === 0,
  }
}

export function listAnswer<Item>({ text, headers }: ListText<Item>): JsonAnswer<ListBody<Item>, 200> {
  return jsonAnswer(text, 200, headers)
}

/** The request's own path and query with another `after`: relative, since only a proxy knows what we are called. */
function nextReference(url: string, next: string): string {
  const { pathname, searchParams } = new URL(url)
  searchParams.set('after', next)
  return `${pathname}?${searchParams}`
}
