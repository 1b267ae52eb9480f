import type { RequestRecord } from './clients.ts'
import { slowestMs } from './request-figures.ts'

/** One fault of a storm; times of `performance.now()`. */
export interface MetFault {
  readonly kind: string
  readonly fromMs: number
  /** When it was lifted. */
  readonly untilMs: number
}

/** What a storm's requests were answered under one kind of fault: while it was active, and until the next one began. */
interface FaultAnswers {
  readonly kind: string
  /** How often it came. */
  readonly times: number
  /** Of the longest one, until it was lifted. */
  readonly longestMs: number
  /** Of the slowest answer, right or not. */
  readonly slowestMs: number
  readonly reads: StatusCounts
  readonly writes: StatusCounts
}

/** Requests by their status; 0: no answer. */
type StatusCounts = ReadonlyMap<number, number>

interface Storm {
  /** In the order in which they came, none before the last one was lifted. */
  readonly faults: readonly MetFault[]
  readonly reads: readonly RequestRecord[]
  readonly writes: readonly RequestRecord[]
}

/** One row for each kind of fault that came, those first under which most requests failed. */
export function answersByFault({ faults, reads, writes }: Storm): readonly FaultAnswers[] {
  const recordsOf = (records: readonly RequestRecord[]) => Map.groupBy(records, (record) => kindMet(record, faults))
  const [readsOf, writesOf] = [recordsOf(reads), recordsOf(writes)]
  return [...new Set([...readsOf.keys(), ...writesOf.keys(), ...faults.map(({ kind }) => kind)])]
    .map((kind) => {
      const own = faults.filter((fault) => fault.kind === kind)
      const [ownReads, ownWrites] = [readsOf.get(kind) ?? [], writesOf.get(kind) ?? []]
      return {
        kind,
        times: own.length,
        longestMs: Math.max(0, ...own.map(({ fromMs, untilMs }) => untilMs - fromMs)),
        slowestMs: slowestMs([...ownReads, ...ownWrites]),
        reads: countStatuses(ownReads),
        writes: countStatuses(ownWrites),
      }
    })
    .toSorted((a, b) => failuresOf(b.reads) + failuresOf(b.writes) - failuresOf(a.reads) - failuresOf(a.writes))
}

/** Of requests that ended before the first fault. */
const CALM = 'none yet'

/** The fault that was active for most of the request's time; without one, the last that had been. */
function kindMet({ startMs, endMs }: RequestRecord, faults: readonly MetFault[]): string {
  const sharedMs = ({ fromMs, untilMs }: MetFault) => Math.min(endMs, untilMs) - Math.max(startMs, fromMs)
  const [met] = faults.filter((fault) => sharedMs(fault) >= 0).toSorted((a, b) => sharedMs(b) - sharedMs(a))
  return (met ?? faults.findLast(({ untilMs }) => untilMs < startMs))?.kind ?? CALM
}

export function countStatuses(records: readonly RequestRecord[]): StatusCounts {
  const groups = Map.groupBy(records, ({ status }) => status)
  return new Map([...groups].map(([status, own]) => [status, own.length] as const).sort(([a], [b]) => a - b))
}

/** How many were answered 2xx, in %; 100 without a request. */
export function successPercent(counts: StatusCounts): number {
  const total = totalOf(counts)
  return total === 0 ? 100 : 100 * (1 - failuresOf(counts) / total)
}

function totalOf(counts: StatusCounts): number {
  return [...counts.values()].reduce((total, count) => total + count, 0)
}

function failuresOf(counts: StatusCounts): number {
  return [...counts].reduce((total, [status, count]) => total + (isSuccess(status) ? 0 : count), 0)
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300
}

/** A line for each kind: `frozen 3 times, up to 2.0 s: reads 812, 98.5 % (503: 12); writes 90, 100.0 %; slowest 2104 ms`. */
export function describeAnswers(answers: readonly FaultAnswers[]): readonly string[] {
  return answers.map(({ kind, times, longestMs, slowestMs, reads, writes }) => {
    const fault = `${kind} ${times} times, up to ${(longestMs / 1000).toFixed(1)} s`
    return `${fault}: reads ${describeCounts(reads)}; writes ${describeCounts(writes)}; slowest ${slowestMs.toFixed()} ms`
  })
}

/** `812, 98.5 % (503: 12)`: how many, the share answered 2xx, the other statuses. */
export function describeCounts(counts: StatusCounts): string {
  const failed = [...counts].filter(([status]) => !isSuccess(status)).map(([status, count]) => `${status}: ${count}`)
  const list = failed.length > 0 ? ` (${failed.join(', ')})` : ''
  return `${totalOf(counts)}, ${successPercent(counts).toFixed(1)} %${list}`
}
