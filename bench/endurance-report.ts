import type { Memory } from './process-figures.ts'
import { captionOf, type Setup } from './setup.ts'
import { slopeOf } from './statistics.ts'
import { renderMarkdown, renderText, type Table } from './table.ts'

/** What the service had in memory when it had answered so many requests. */
export interface MemorySample extends Memory {
  readonly requests: number
}

export interface EnduranceRun {
  readonly setup: Setup
  /** `GET /?city= over 600 names, 64 connections`. */
  readonly load: string
  readonly requests: number
  readonly errors: number
  readonly samples: readonly MemorySample[]
}

const kinds = [
  { title: 'resident memory', of: ({ residentMb }: MemorySample) => residentMb },
  { title: 'JavaScript heap in use', of: ({ heapMb }: MemorySample) => heapMb },
] as const

/** Where memory began and ended, and whether it still grew in the second half: the first fills caches and heap. */
export function enduranceTable(samples: readonly MemorySample[]): Table {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) return [['nothing was measured']]
  const half = samples.filter(({ requests }) => 2 * requests > last.requests)
  const after = ({ requests }: MemorySample) => `after ${requests.toLocaleString('en')}`
  return [
    ['MB', after(first), after(last), 'least in the 2nd half', 'most in it', 'per million requests in it'],
    ...kinds.map(({ title, of }) => {
      const values = half.map(of)
      const slope = slopeOf(half.map((sample) => ({ x: sample.requests / 1e6, y: of(sample) })))
      return [
        title,
        ...[of(first), of(last), Math.min(...values), Math.max(...values)].map((value) => value.toFixed(0)),
        slope?.toFixed(2) ?? 'unknown',
      ]
    }),
  ]
}

/** For the terminal. */
export function describeEndurance(run: EnduranceRun): string {
  return [captionOf(run.setup), titleOf(run), renderText(enduranceTable(run.samples))].join('\n')
}

/** For docs/performance.md. */
export function documentEndurance(run: EnduranceRun): string {
  return `${captionOf(run.setup)} ${titleOf(run)}\n\n${renderMarkdown(enduranceTable(run.samples))}`
}

function titleOf({ requests, load, errors, samples }: EnduranceRun): string {
  return `${requests.toLocaleString('en')} requests (${load}), ${errors} errors, ${samples.length} looks at the memory.`
}
