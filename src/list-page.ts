import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Page } from '../db/index.ts'
import type { CursorCodec } from './cursor.ts'
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

interface ListAnswer<Item, Sort extends string> {
  readonly page: Page<Item>
  readonly sort: Sort
  readonly codec: CursorCodec<Sort>
  readonly count: number | undefined
}

/** The body of a list, and its `Link` to the next page as a header. */
export function toListBody<Item, Sort extends string>(
  c: Context,
  { page: { items, end }, sort, codec, count }: ListAnswer<Item, Sort>,
) {
  const next = end ? codec.encode({ sort, position: end }) : null
  if (next !== null) c.header('Link', `<${nextReference(c.req.url, next)}>; rel="next"`)
  return { items: [...items], next, ...(count !== undefined && { count }) }
}

/** The request's own path and query with another `after`: relative, since only a proxy knows what we are called. */
function nextReference(url: string, next: string): string {
  const { pathname, searchParams } = new URL(url)
  searchParams.set('after', next)
  return `${pathname}?${searchParams}`
}
