import { kinds } from './faults-kinds.ts'
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

/** Of the 54 scenarios that the tests are numbered after: those that are not, or not wholly, made by a real server. */
const limits: readonly (readonly [scenarios: string, why: string])[] = [
  [
    '12, 16, 18, 46, 47',
    'Neither server sends these packets on demand (garbage, a failing ROLLBACK, 1213 on COMMIT, 1047 of Galera, 1053 of TiDB): the proxy puts them into a real conversation in place of the answer.',
  ],
  ['11', "One error number a server: 4031 is MySQL's, 1927 MariaDB's."],
  [
    '17',
    'A BEGIN refused after SET TRANSACTION cannot be produced; that the level of a BEGIN that never came does not leak is shown instead.',
  ],
  ['22, 24', "The error carries the pool's counts, not the holders' ages; `Retry-After` is HTTP's."],
  ['39, 40, 41', 'Lifetimes and jumping clocks with an injected clock; 39 on real servers too.'],
  [
    '43',
    "Learning the network's patience from deaths is not built. Keepalive pings and the check before use cover it.",
  ],
  [
    '48, 49, 51, 52',
    'Of the process and its probes: `service-probes`, `service-wedged`, `service-life` and `kubelet` in `test/faults`.',
  ],
  ['53', 'Two restarts instead of twenty: after ten attempts in a second the eleventh waits, by design.'],
]

/** `docs/faults.md`: one row for each figure of each scenario. */
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
    '## Scenarios',
    '',
    'Fifty-four scenarios, most of them about the pool alone, are tests whose names start with their number',
    '(`test/faults/scenario-*.test.ts`, `test/db/pool`). What cannot be had from a real server, or is not covered:',
    '',
    row(['scenario', 'why']),
    row(['---', '---']),
    ...limits.map(row),
    '',
    '## Kinds of inputs',
    '',
    "What other people's servers, programs and networks do to it, by kind: what was tried, on both servers unless it says",
    'otherwise, and where the tests are (below `test/`).',
    '',
    row(['kind', 'tried', 'tests']),
    row(['---', '---', '---']),
    ...kinds.map(row),
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
