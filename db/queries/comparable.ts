import { faultOf } from '../server-errors.ts'

/** What `read` resolves with, or `none` where its text has characters that the column's character set has not. */
export async function whereComparable<Answer>(read: () => Promise<Answer>, none: Answer): Promise<Answer> {
  try {
    return await read()
  } catch (error) {
    if (faultOf(error) === 'incomparable') return none
    throw error
  }
}
