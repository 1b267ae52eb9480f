import { describeBound, type Figure, type FigureRecord, isMet, withUnit } from './figures.ts'

/** A column of the report: whose figures on which server. */
type Column = Pick<FigureRecord, 'server' | 'subject'>

/**
 * The records of `docs/faults.json` with those of a new run in them. A whole run replaces all that is known of its server
 * and subject, one of some files only the same scenarios.
 */
export function mergeRecords(
  before: readonly FigureRecord[],
  run: readonly FigureRecord[],
  { isWhole }: { readonly isWhole: boolean },
): readonly FigureRecord[] {
  const isSuperseded = (old: FigureRecord) =>
    run.some(
      ({ scenario, server, subject }) =>
        subject === old.subject &&
        productOf(server) === productOf(old.server) &&
        (isWhole || scenario === old.scenario),
    )
  return [...before.filter((record) => !isSuperseded(record)), ...run]
}

/** `MariaDB` of `MariaDB 10.11.19`. */
function productOf(server: string): string {
  return server.split(' ')[0] ?? server
}

/** `docs/faults.md`: one row for each figure of each scenario. Nothing in it is written by hand. */
export function renderReport(records: readonly FigureRecord[]): string {
  const columns = columnsOf(records)
  const heads = columns.map(({ server, subject }) => `${subject === 'plain' ? 'plain' : 'still-here'} on ${server}`)
  const scenarios = [...new Set(records.map(({ scenario }) => scenario))]
  return [
    '# What happens when the database goes away',
    '',
    'Written by `npm run faults`; the columns "plain" are stock Hono, Kysely and mysql2, from `npm run faults -- --baseline`.',
    'Unless a row says otherwise: 16 clients with short pauses, pool of 16, a real server behind a fault proxy,',
    '`REQUEST_TIMEOUT_MS` 5000; a client gives up after 8 s. A figure that misses its bound is **bold**.',
    '',
    row(['fault', 'figure', 'must', ...heads]),
    row(['---', '---', '---', ...heads.map(() => '---')]),
    ...scenarios.flatMap((scenario) => scenarioRows(scenario, columns, records)),
    '',
  ].join('\n')
}

function columnsOf(records: readonly FigureRecord[]): readonly Column[] {
  const keys = new Set(records.map(({ subject, server }) => JSON.stringify({ subject, server })))
  // Ours before the yardstick; the servers by name.
  const order = ({ subject, server }: Column) => `${subject === 'service' ? 0 : 1} ${server}`
  return [...keys]
    .map((key) => JSON.parse(key) as Column) // Made just above.
    .sort((a, b) => order(a).localeCompare(order(b)))
}

function scenarioRows(scenario: string, columns: readonly Column[], records: readonly FigureRecord[]): string[] {
  const found = columns.map(({ server, subject }) =>
    records.find((record) => record.scenario === scenario && record.server === server && record.subject === subject),
  )
  const names = [...new Set(found.flatMap((record) => record?.figures.map(({ name }) => name) ?? []))]
  return names.map((name, index) => {
    const figures = found.map((record) => record?.figures.find((figure) => figure.name === name))
    return row([index === 0 ? scenario : '', name, describeMust(figures), ...figures.map(describeCell)])
  })
}

function describeMust(figures: readonly (Figure | undefined)[]): string {
  const figure = figures.find((candidate) => candidate !== undefined)
  return figure === undefined || figure.bound === 'none' ? '' : describeBound(figure)
}

function describeCell(figure: Figure | undefined): string {
  if (figure === undefined) return ''
  const text = withUnit(figure.value, figure.unit)
  return isMet(figure) ? text : `**${text}**`
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}
