import { renderChart, type Theme } from './chart.ts'
import type { CityRow } from './city-rows.ts'
import { publishBlock, writeProjectFile } from './publish.ts'
import { loadTable, memoryTable, metricTable, ratioTable, type StackTitle, targetTable } from './report.ts'
import { captionOf, type Setup } from './setup.ts'
import { type Cell, type Slice, summariseSlices } from './summary.ts'
import { renderMarkdown, renderText } from './table.ts'
import { judgeTargets } from './targets.ts'
import { createWorkload, type WorkloadName } from './workloads.ts'

export interface CompareRun {
  readonly setup: Setup
  readonly seconds: number
  readonly rounds: number
  readonly stacks: readonly StackTitle[]
  readonly slices: readonly Slice[]
  readonly cities: readonly CityRow[]
}

const docMetrics = ['requestsPerSecond', 'p50Ms', 'p99Ms', 'stackCpuMs', 'databaseCpuMs'] as const

/** For the terminal. */
export function describeCompare({ setup, stacks, slices, cities }: CompareRun): string {
  if (slices.length === 0) return 'nothing was measured'
  const cells = summariseSlices(slices)
  const loads = Map.groupBy(cells, ({ workload, connections }) => `${workload} c=${connections}`)
  const tables = [...loads.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const { title } = createWorkload(first.workload, cities)
    return `\n${title}, ${first.connections} connections\n${renderText(loadTable(group, stacks))}`
  })
  const targets = judgeTargets(slices)
  const ratios = targets.length === 0 ? [] : [`\nstill-here beside the others\n${renderText(targetTable(targets))}`]
  const memory = `\n${renderText(memoryTable(slices, stacks))}`
  const other = stacks.find(({ name }) => name === 'other')
  const pair = { of: 'service', to: 'other' }
  const against = other ? [`\nstill-here here by ${other.title}\n${renderText(ratioTable(slices, pair))}`] : []
  return [captionOf(setup), ...tables, memory, ...ratios, ...against].join('\n')
}

/** All that was measured, for other programs. */
export function compareJson({ cities: _, ...run }: CompareRun): string {
  return `${JSON.stringify({ ...run, cells: summariseSlices(run.slices), targets: judgeTargets(run.slices) })}\n`
}

/** The chart of the seed route's load (or of the first that there is) for light and dark pages. */
export async function renderCharts({ stacks, slices, cities }: CompareRun): Promise<ReadonlyMap<Theme, string>> {
  const all = summariseSlices(slices)
  const workload = all.find((cell) => cell.workload === 'seed')?.workload ?? all[0]?.workload
  if (workload === undefined) return new Map()
  const cells = all.filter((cell) => cell.workload === workload)
  const { title } = createWorkload(workload, cities)
  const chart = async (theme: Theme) => [theme, await renderChart({ cells, stacks, title, theme })] as const
  return new Map(await Promise.all([chart('light'), chart('dark')]))
}

/** Chart, tables and figures into docs/ and the README. */
export async function publishCompare(run: CompareRun): Promise<void> {
  for (const [theme, svg] of await renderCharts(run)) await writeProjectFile(`docs/bench-${theme}.svg`, svg)
  const { slices: _, cities: __, ...summary } = run
  const cells = summariseSlices(run.slices)
  const targets = judgeTargets(run.slices)
  await writeProjectFile('docs/bench.json', `${JSON.stringify({ ...summary, cells, targets }, undefined, 1)}\n`)
  const caption = `${captionOf(run.setup)} Medians of ${run.rounds} interleaved slices of ${run.seconds} s with their 95 % interval.`
  const workloads = [...new Set(cells.map(({ workload }) => workload))]
  const tables = workloads.flatMap((workload) => tablesOf(workload, cells, run))
  const memory = `### Memory\n\n${renderMarkdown(memoryTable(run.slices, run.stacks))}`
  const ratios = `### The service's targets\n\n${renderMarkdown(targetTable(targets))}`
  await publishBlock('docs/performance.md', 'compare', [caption, ...tables, memory, ratios].join('\n\n'))
  await publishBlock('README.md', 'chart', `${pictureOf('requests per second and CPU per request')}\n\n${caption}`)
}

function tablesOf(workload: WorkloadName, cells: readonly Cell[], { stacks, cities }: CompareRun): readonly string[] {
  const own = cells.filter((cell) => cell.workload === workload)
  const tables = docMetrics.map((metric) => renderMarkdown(metricTable(own, stacks, metric)))
  return [`### \`${createWorkload(workload, cities).title}\``, ...tables]
}

function pictureOf(alt: string): string {
  return `<picture>
  <source media="(prefers-color-scheme: dark)" srcset="docs/bench-dark.svg">
  <img src="docs/bench-light.svg" alt="${alt}, by stack and number of connections">
</picture>`
}
