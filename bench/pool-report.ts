import type { SideFigures } from './pool-side.ts'
import { type Summary, summarise } from './statistics.ts'
import { renderText } from './table.ts'

/** What one side measured: its slices, by round. */
export interface SideResult {
  readonly title: string
  readonly slices: readonly SideFigures[]
}

/** The sides' figures, and the ratio of `ours` to each of the others, taken within each round. */
export function describePool(ours: SideResult, others: readonly SideResult[]): string {
  const sides = [...others, ours]
  const figures = [
    ['', 'CPU us a request', '95 % interval', 'read and write calls', '95 % interval'],
    ...sides.map(({ title, slices }) => [
      title,
      ...cells(summarise(slices.map(({ cpuUs }) => cpuUs)), 1),
      ...cells(summarise(slices.map(({ ioCalls }) => ioCalls)), 3),
    ]),
  ]
  const ratios = [
    [`${ours.title} to`, 'CPU', '95 % interval', 'read and write calls', '95 % interval'],
    ...others.map((other) => [
      other.title,
      ...cells(ratioOf(ours, other, 'cpuUs'), 3),
      ...cells(ratioOf(ours, other, 'ioCalls'), 3),
    ]),
  ]
  return `${renderText(figures)}\n\n${renderText(ratios)}`
}

function ratioOf(ours: SideResult, other: SideResult, figure: keyof SideFigures): Summary {
  return summarise(ours.slices.map((slice, round) => slice[figure] / (other.slices[round]?.[figure] ?? Number.NaN)))
}

function cells({ median, interval }: Summary, digits: number): readonly string[] {
  const range = interval === undefined ? '' : `${interval.low.toFixed(digits)} to ${interval.high.toFixed(digits)}`
  return [median.toFixed(digits), range]
}
