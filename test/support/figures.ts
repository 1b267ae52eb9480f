import assert from 'node:assert/strict'
import { appendFile } from 'node:fs/promises'
import { faultsRun } from './faults-run.ts'
import type { OwnServer } from './own-server.ts'

/** One measured number and its bound. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: 'ms' | 's' | '%' | ''
  readonly bound: 'atMost' | 'atLeast' | 'none'
  readonly limit: number
}

/** What one scenario measured, as a line of the record. */
export interface FigureRecord {
  readonly scenario: string
  /** `MariaDB 10.11.19`. */
  readonly server: string
  readonly subject: 'service' | 'plain'
  readonly figures: readonly Figure[]
}

type Unit = Figure['unit']

export function atMost(name: string, value: number, limit: number, unit: Unit = ''): Figure {
  return { name, value, limit, unit, bound: 'atMost' }
}

export function atLeast(name: string, value: number, limit: number, unit: Unit = ''): Figure {
  return { name, value, limit, unit, bound: 'atLeast' }
}

/** A number that says how much was tried. */
export function given(name: string, value: number, unit: Unit = ''): Figure {
  return { name, value, limit: 0, unit, bound: 'none' }
}

/**
 * Prints a scenario's figures in one line, records them, and fails the test where one is out of bounds. What is timed
 * is judged in the full form only, which runs on a machine that does nothing else: `npm test` judges what is counted.
 */
export async function reportFigures(scenario: string, server: OwnServer, figures: readonly Figure[]): Promise<void> {
  const { subject, recordFile } = faultsRun
  const record: FigureRecord = { scenario, server: describeServer(server), subject, figures }
  console.info(`[figures] ${record.server}, ${subject}: ${scenario}: ${figures.map(describeFigure).join(', ')}`)
  if (recordFile !== undefined) await appendFile(recordFile, `${serialiseFigureRecord(record)}\n`)
  if (subject === 'plain') return
  const judged = figures.filter(({ unit, value }) => faultsRun.isFull || unit === '' || value === Infinity)
  const missed = judged.filter((figure) => !isMet(figure)).map(describeFigure)
  assert.deepEqual(missed, [], scenario)
}

/** `longest gap 37 ms (at most 200 ms)`. */
function describeFigure(figure: Figure): string {
  const { name, bound, limit, unit } = figure
  const text = `${name} ${withUnit(figure.value, unit)}`
  if (bound === 'none') return text
  return `${text} (${isMet(figure) ? '' : 'MISSED, '}${describeBound({ bound, limit, unit })})`
}

/** `at most 200 ms`. */
export function describeBound({ bound, limit, unit }: Pick<Figure, 'bound' | 'limit' | 'unit'>): string {
  return `${bound === 'atMost' ? 'at most' : 'at least'} ${withUnit(limit, unit)}`
}

/** `37 ms`, `0.04 s`, `98.2 %`, `0`. */
export function withUnit(value: number, unit: Unit): string {
  if (value === Number.POSITIVE_INFINITY) return 'never'
  const digits = unit === 's' ? 2 : unit === '%' ? 1 : 0
  return `${value.toFixed(digits)}${unit === '' ? '' : ` ${unit}`}`
}

export function isMet({ bound, value, limit }: Figure): boolean {
  if (bound === 'atMost') return value <= limit
  return bound === 'none' || value >= limit
}

function describeServer({ flavour, version }: OwnServer): string {
  return `${flavour === 'mariadb' ? 'MariaDB' : 'MySQL'} ${/^[\d.]+/.exec(version)?.[0]}`
}

/** A record as one line. JSON has no Infinity. */
export function serialiseFigureRecord(record: FigureRecord): string {
  return JSON.stringify(record, (_, value) => (value === Number.POSITIVE_INFINITY ? 'never' : value))
}

/** The opposite of what a record was written as. */
export function parseFigureRecord(line: string): FigureRecord {
  return JSON.parse(line, (_, value) => (value === 'never' ? Number.POSITIVE_INFINITY : value)) as FigureRecord
}
