import { renderSvg } from './render-svg.js'
import type { StackTitle } from './report.ts'
import type { Cell, Metric } from './summary.ts'

export type Theme = 'light' | 'dark'

interface Palette {
  readonly ink: string
  /** Lines behind the marks. */
  readonly grid: string
  /** Of stacks that have a colour of their own, by name. */
  readonly named: Readonly<Record<string, string>>
  /** Of the others, in turn. */
  readonly others: readonly string[]
}

const palettes: Record<Theme, Palette> = {
  light: {
    ink: '#1f2328',
    grid: '#d8dee4',
    named: {
      service: '#cf222e',
      pooled: '#e08a00',
      stock: '#0969da',
      'per-request': '#57606a',
      'no-database': '#b1bac4',
    },
    others: ['#8250df', '#1a7f37', '#bf3989', '#0a7b83', '#7a5c00', '#3d5a80'],
  },
  dark: {
    ink: '#e6edf3',
    grid: '#30363d',
    named: {
      service: '#ff7b72',
      pooled: '#ffa657',
      stock: '#58a6ff',
      'per-request': '#8b949e',
      'no-database': '#6e7681',
    },
    others: ['#d2a8ff', '#56d364', '#f778ba', '#39c5cf', '#d4b95e', '#a5c9f3'],
  },
}

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
  const { ink, grid } = palettes[theme]
  const shown = stacks.filter(({ name }) => cells.some(({ stack }) => stack === name))
  const color = {
    field: 'stack',
    type: 'nominal',
    title: null,
    scale: { domain: shown.map((stack) => stack.title), range: coloursOf(shown, theme) },
    legend: { symbolType: 'stroke', symbolStrokeWidth: 3, labelLimit: 0 },
  }
  const panel = (metric: Metric, heading: string) => {
    const values = rowsOf(cells, shown, metric)
    return {
      title: { text: heading, anchor: 'start', fontWeight: 'normal', fontSize: 12, color: ink },
      width: 280,
      height: 280,
      data: { values },
      encoding: { x: { field: 'connections', type: 'ordinal', title: 'connections', axis: { labelAngle: 0 } }, color },
      layer: [
        { mark: { type: 'rule', strokeWidth: 1.5 }, encoding: { y: axisOf('low', values), y2: { field: 'high' } } },
        {
          mark: { type: 'line', point: { size: 28 } },
          encoding: {
            y: axisOf('median', values),
            strokeWidth: { condition: { test: 'datum.isOurs', value: 4 }, value: 1.5 },
          },
        },
      ],
    }
  }
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
    hconcat: [panel('requestsPerSecond', 'Requests per second'), panel('stackCpuMs', 'CPU ms per request')],
  }
}

function coloursOf(stacks: readonly StackTitle[], theme: Theme): readonly string[] {
  const { named, others, ink } = palettes[theme]
  const turns = others.values()
  return stacks.map(({ name }) => named[name] ?? turns.next().value ?? ink)
}

interface Row {
  readonly stack: string
  /** Its line is thicker. */
  readonly isOurs: boolean
  readonly connections: number
  readonly median: number
  readonly low: number
  readonly high: number
}

function rowsOf(cells: readonly Cell[], stacks: readonly StackTitle[], metric: Metric): readonly Row[] {
  return cells.flatMap(({ stack, connections, figures }) => {
    const [title, summary] = [stacks.find(({ name }) => name === stack)?.title, figures[metric]]
    // A logarithm has no zero: a slice without a tick of CPU.
    if (title === undefined || summary === undefined || summary.min <= 0) return []
    const { low, high } = summary.interval ?? { low: summary.min, high: summary.max }
    return { stack: title, isOurs: stack === 'service', connections, median: summary.median, low, high }
  })
}

function axisOf(field: 'median' | 'low', rows: readonly Row[]) {
  const values = logTicks(Math.min(...rows.map(({ low }) => low)), Math.max(...rows.map(({ high }) => high)))
  return {
    field,
    type: 'quantitative',
    title: null,
    scale: { type: 'log', nice: false },
    axis: { values, format: '~r' },
  }
}

/** 1, 2 and 5 of every power of ten within the range: vega's own ticks of a logarithm are too many to read. */
export function logTicks(low: number, high: number): readonly number[] {
  const powers = Array.from({ length: 16 }, (_, index) => index - 6)
  const ticks = powers.flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`)))
  return ticks.filter((tick) => tick >= low && tick <= high)
}
