import { renderSvg } from './render-svg.js'
import type { StackTitle } from './report.ts'
import type { Cell, Metric } from './summary.ts'

export type Theme = 'light' | 'dark'

/** Text, lines behind the marks, and a colour for each stack in turn; told apart by people who see few colours too. */
const themes = {
  light: {
    ink: '#1f2328',
    grid: '#d8dee4',
    ours: '#cf222e',
    ownWay: '#bc4c00',
    others: [
      '#0969da',
      '#8250df',
      '#1a7f37',
      '#9a6700',
      '#bf3989',
      '#57606a',
      '#0a7b83',
      '#6e7781',
      '#3d5a80',
      '#7a5c00',
    ],
  },
  dark: {
    ink: '#e6edf3',
    grid: '#30363d',
    ours: '#ff7b72',
    ownWay: '#ffa657',
    others: [
      '#58a6ff',
      '#d2a8ff',
      '#56d364',
      '#e3b341',
      '#f778ba',
      '#8b949e',
      '#39c5cf',
      '#b1bac4',
      '#a5c9f3',
      '#d4b95e',
    ],
  },
} as const

export interface ChartOptions {
  /** Of one workload. */
  readonly cells: readonly Cell[]
  readonly stacks: readonly StackTitle[]
  readonly title: string
  readonly theme: Theme
}

/** Requests/s and CPU per request against concurrency, as SVG; the bars are the medians' intervals. */
export async function renderChart(options: ChartOptions): Promise<string> {
  return await renderSvg(chartSpec(options))
}

function chartSpec({ cells, stacks, title, theme }: ChartOptions): object {
  const { ink, grid, ours, ownWay, others } = themes[theme]
  const shown = stacks.filter(({ name }) => cells.some(({ stack }) => stack === name))
  const colours = { service: ours, pooled: ownWay } as Readonly<Record<string, string>>
  let next = 0
  const colourOf = ({ name }: StackTitle) => colours[name] ?? others[next++ % others.length] ?? ink
  const color = {
    field: 'stack',
    type: 'nominal',
    title: null,
    scale: { domain: shown.map((stack) => stack.title), range: shown.map(colourOf) },
    legend: { orient: 'bottom', columns: 3, symbolType: 'stroke', symbolStrokeWidth: 3, labelLimit: 260 },
  } as const
  const panel = (metric: Metric, heading: string) => ({
    title: { text: heading, anchor: 'start', fontWeight: 'normal', fontSize: 12, color: ink },
    width: 330,
    height: 260,
    data: { values: rowsOf(cells, shown, metric) },
    encoding: {
      x: { field: 'connections', type: 'ordinal', title: 'connections', axis: { labelAngle: 0 } },
      color,
    },
    layer: [
      { mark: { type: 'rule', strokeWidth: 1.5 }, encoding: { y: axisOf('low'), y2: { field: 'high' } } },
      { mark: { type: 'line', strokeWidth: 2, point: { size: 28 } }, encoding: { y: axisOf('median') } },
    ],
  })
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: title, anchor: 'start', fontSize: 14, color: ink, offset: 12 },
    background: 'transparent',
    padding: 12,
    config: {
      font: 'system-ui, -apple-system, "Segoe UI", sans-serif',
      view: { stroke: null },
      axis: {
        labelColor: ink,
        titleColor: ink,
        gridColor: grid,
        domainColor: grid,
        tickColor: grid,
        titleFontWeight: 'normal',
      },
      legend: { labelColor: ink },
    },
    hconcat: [
      panel('requestsPerSecond', 'Requests per second (logarithmic; more is better)'),
      panel('stackCpuMs', 'CPU of the service per request in ms (logarithmic; less is better)'),
    ],
  }
}

function axisOf(field: 'median' | 'low') {
  return {
    field,
    type: 'quantitative',
    title: null,
    scale: { type: 'log', nice: false },
    axis: { format: '~g', tickCount: 6 },
  } as const
}

function rowsOf(cells: readonly Cell[], stacks: readonly StackTitle[], metric: Metric) {
  return cells.flatMap(({ stack, connections, figures }) => {
    const [title, summary] = [stacks.find(({ name }) => name === stack)?.title, figures[metric]]
    // A logarithm has no zero: a slice without a tick of CPU.
    if (title === undefined || summary === undefined || summary.min <= 0) return []
    const { low, high } = summary.interval ?? { low: summary.min, high: summary.max }
    return { stack: title, connections, median: summary.median, low, high }
  })
}
