import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Cursor, CursorCodec } from './cursor.ts'
import { invalidBody } from './json-body.ts'
import { badRequest, type FieldError } from './problem.ts'

/** A query without parameters: any is a mistake. */
export const noQuery = z.strictObject({})

const DIGITS = /^\d{1,10}$/

/** Digits for an integer in a range; not `z.coerce.number()`, which takes '' for 0. */
export function integerParam(minimum: number, maximum: number) {
  const isInRange = (text: string) => DIGITS.test(text) && Number(text) >= minimum && Number(text) <= maximum
  return z
    .string()
    .refine(isInRange, `must be an integer from ${minimum} to ${maximum}`)
    .transform(Number)
    .openapi({ type: 'integer', minimum, maximum })
}

/** Ids in paths and filters: larger than any that exists is no mistake, there is just none. */
export const idParam = () => integerParam(0, 9_999_999_999)

/** Whether `idParam` takes it. */
export const isId = (text: string) => DIGITS.test(text)

/** 1-50 characters, counted as the database counts them: an emoji is one. */
export function nameParam(description: string) {
  return z
    .string()
    .refine((text) => text !== '' && [...text].length <= 50, 'must have 1 to 50 characters')
    .openapi({ description, minLength: 1, maxLength: 50, example: 'London' })
}

/** One of a fixed list. */
export function choiceParam<const Choice extends string>(choices: readonly [Choice, ...Choice[]], description: string) {
  return z.enum(choices, `must be one of: ${choices.join(', ')}`).openapi({ description })
}

/** The names of a record that is written down in the source: its keys are just those of its type. */
export function keysOf<Key extends string>(record: Readonly<Record<Key, unknown>>): [Key, ...Key[]] {
  return Object.keys(record) as [Key, ...Key[]]
}

/** `after`: where the page before ended. */
export function cursorParam<Sort extends string>(codec: CursorCodec<Sort>) {
  return z
    .string()
    .transform((text, context): Cursor<Sort> => {
      const cursor = codec.decode(text)
      if (cursor) return cursor
      context.addIssue({ code: 'custom', message: NOT_A_CURSOR })
      return z.NEVER
    })
    .openapi({ type: 'string', description: 'Continues a list: the `next` of the page before, with the same `sort`.' })
}

export const NOT_A_CURSOR = 'must be the `next` of a page of this list with the same `sort`'

/** The place to continue at; a cursor of another sort is refused. */
export function positionOf<Sort extends string>(cursor: Cursor<Sort> | undefined, sort: Sort) {
  if (cursor && cursor.sort !== sort) throw badRequest([{ parameter: 'after', detail: NOT_A_CURSOR }])
  return cursor?.position
}

/** The value of a well-formed URL's only parameter; undefined where it has another, several, none, or needs a closer look. */
export function soleParameter(url: string, name: string): string | undefined {
  const start = url.indexOf('?') + 1
  if (start === 0 || !url.startsWith(`${name}=`, start) || /[&#]/.test(url)) return undefined
  return decodeURIComponent(url.slice(start + name.length + 1).replaceAll('+', ' '))
}

interface ValidationResult {
  readonly success: boolean
  readonly error?: z.ZodError
  readonly data?: unknown
  /** Which part of the request: `query`, `param`, or `json` for the body. */
  readonly target: string
}

/** Turns what zod found into a 400 that lists each bad parameter or field; never quotes a value. */
export function rejectInvalid({ success, error, data, target }: ValidationResult, _c: Context): void {
  if (success || !error) return
  throw target === 'json' ? invalidBody(error) : badRequest(toFieldErrors(error, data))
}

function toFieldErrors({ issues }: z.ZodError, data: unknown): FieldError[] {
  return issues.flatMap((issue): FieldError[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ parameter: key.slice(0, 100), detail: 'is not a parameter of this route' }))
    }
    const parameter = String(issue.path[0])
    const isRepeated = Array.isArray((data as Record<string, unknown>)[parameter]) // A query is always a record.
    return [{ parameter, detail: isRepeated ? 'must be given once' : issue.message }]
  })
}
