import { faultOf } from '../server-errors.ts'

/** For a read's `catch`: it found nothing, where its text has characters that the column's character set has not. */
export function noneIfIncomparable(error: unknown): undefined {
  if (faultOf(error) !== 'incomparable') throw error
}
