import type { RequestRecord } from './clients.ts'

/** When something was asked and answered, and whether rightly. */
type Timed = Pick<RequestRecord, 'startMs' | 'endMs' | 'isOk'>

/** Requests without the right answer, a wrong body and no answer at all among them. */
export function failedOf(records: readonly RequestRecord[]): readonly RequestRecord[] {
  return records.filter(({ isOk }) => !isOk)
}

/** Requests that got no answer. */
export function unansweredOf(records: readonly RequestRecord[]): readonly RequestRecord[] {
  return records.filter(({ status }) => status === 0)
}

/** Longest stretch without a right answer between two moments, in ms. */
export function longestGapMs(records: readonly Timed[], fromMs: number, toMs: number): number {
  const ends = records.filter(({ isOk, endMs }) => isOk && endMs >= fromMs && endMs <= toMs).map(({ endMs }) => endMs)
  const marks = [fromMs, ...ends.sort((a, b) => a - b), toMs]
  return Math.max(...marks.slice(1).map((mark, index) => mark - (marks[index] ?? mark)))
}

/** From a moment to the end of the first right answer after it, in ms; Infinity when none came. */
export function firstSuccessAfterMs(records: readonly RequestRecord[], momentMs: number): number {
  const ends = records.filter(({ isOk, endMs }) => isOk && endMs > momentMs).map(({ endMs }) => endMs)
  return ends.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...ends) - momentMs
}

/** The longest a client waited for its answer, or until it gave up, in ms. */
export function slowestMs(records: readonly RequestRecord[]): number {
  return records.reduce((slowest, { startMs, endMs }) => Math.max(slowest, endMs - startMs), 0)
}

/** The time that `share` (0 to 1) of the requests stayed within, in ms. */
export function percentileMs(records: readonly Timed[], share: number): number {
  const times = records.map(({ startMs, endMs }) => endMs - startMs).sort((a, b) => a - b)
  return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
}

/** The most moments that lie within any one second. Moments in order. */
export function mostPerSecond(momentsMs: readonly number[]): number {
  let most = 0
  let first = 0
  for (const [index, moment] of momentsMs.entries()) {
    while (moment - (momentsMs[first] ?? moment) >= 1_000) first += 1
    most = Math.max(most, index - first + 1)
  }
  return most
}
