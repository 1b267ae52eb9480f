import { z } from '@hono/zod-openapi'
import type { PagePosition } from '../db/index.ts'

/** What a sort's values are. */
export type CursorKind = 'id' | 'text' | 'time'

/** A place in a list sorted by `sort`. */
export interface Cursor<Sort extends string> {
  readonly sort: Sort
  readonly position: PagePosition
}

export interface CursorCodec<Sort extends string> {
  encode(cursor: Cursor<Sort>): string
  /** Undefined for anything that `encode` cannot have made. */
  decode(text: string): Cursor<Sort> | undefined
}

// What the columns can hold: SMALLINT UNSIGNED, VARCHAR(50), TIMESTAMP.
const id = z.int().min(0).max(65_535)
const values = {
  id,
  text: z.string().refine((text) => text.isWellFormed() && [...text].length <= 50),
  time: z.int().min(0).max(4_294_967_295),
} as const satisfies Record<CursorKind, z.ZodType>

/** Changed with the order of names: a cursor of the order before would leave rows out, and is none any more. */
const TEXT_COLLATION = 'full'

/** Cursors of one resource: opaque to clients, base64url of JSON inside. */
export function createCursorCodec<Sort extends string>(kinds: Readonly<Record<Sort, CursorKind>>): CursorCodec<Sort> {
  return {
    encode({ sort, position: { value, id } }) {
      const collation = kinds[sort] === 'text' ? TEXT_COLLATION : undefined
      return Buffer.from(JSON.stringify({ sort, value: toPlain(value), id, collation })).toString('base64url')
    },
    decode(text) {
      const found = parse(text)
      if (!found || !Object.hasOwn(kinds, found.sort)) return undefined
      const sort = found.sort as Sort // Just looked up among the sorts.
      const kind = kinds[sort]
      const value = values[kind].safeParse(found.value)
      if (!value.success) return undefined
      const position = { value: kind === 'time' ? new Date(Number(value.data) * 1000) : value.data, id: found.id }
      // Base64 and JSON have many spellings of one value; only our own is a cursor.
      return this.encode({ sort, position }) === text ? { sort, position } : undefined
    },
  }
}

const plainCursor = z.strictObject({
  sort: z.string(),
  value: z.union([z.number(), z.string()]),
  id,
  collation: z.literal(TEXT_COLLATION).optional(),
})

function parse(text: string): z.infer<typeof plainCursor> | undefined {
  try {
    return plainCursor.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString())).data
  } catch {
    return undefined // Not JSON, so not a cursor.
  }
}

function toPlain(value: PagePosition['value']): string | number {
  return value instanceof Date ? value.getTime() / 1000 : value
}
