import type { BenchOptions } from './options.ts'
import { medianText, metricTitles } from './report.ts'
import type { ScaleCell } from './scale.ts'
import { captionOf, type Setup } from './setup.ts'
import type { Metric } from './summary.ts'
import { renderMarkdown, renderText, type Table } from './table.ts'

export interface Experiment {
  readonly title: string
  readonly cells: readonly ScaleCell[]
}

const shown: readonly Metric[] = ['requestsPerSecond', 'p50Ms', 'p99Ms', 'stackCpuMs', 'databaseCpuMs', 'memoryMb']

function experimentTable({ cells }: Experiment): Table {
  return [
    ['', '', ...shown.map((metric) => metricTitles[metric]), 'errors'],
    ...cells.map(({ at, subject, figures, errors }, index) => [
      at === cells[index - 1]?.at ? '' : at,
      subject,
      ...shown.map((metric) => medianText(figures[metric], metric)),
      String(errors),
    ]),
  ]
}

/** For the terminal. */
export function describeScale(setup: Setup, experiments: readonly Experiment[]): string {
  const tables = experiments.map((one) => `\n${one.title}\n${renderText(experimentTable(one))}`)
  return [captionOf(setup), ...tables].join('\n')
}

/** For docs/performance.md. */
export function documentScale(
  setup: Setup,
  { rounds, seconds }: Pick<BenchOptions, 'rounds' | 'seconds'>,
  experiments: readonly Experiment[],
): string {
  const tables = experiments.map((one) => `### ${one.title}\n\n${renderMarkdown(experimentTable(one))}`)
  return [`${captionOf(setup)} Medians of ${rounds} interleaved slices of ${seconds} s.`, ...tables].join('\n\n')
}
