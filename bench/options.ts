import { parseArgs } from 'node:util'
import { parseTestDatabase, type TestDatabaseSetting } from '../test/support/test-database-setting.ts'
import { type WorkloadName, workloadNames } from './workloads.ts'

export interface BenchOptions {
  readonly what: 'compare' | 'scale' | 'endurance'
  /** Short and rough: a smoke test, never published. */
  readonly isQuick: boolean
  /** Whether docs/ and README get the results. */
  readonly publishes: boolean
  readonly hasPeers: boolean
  readonly database: Exclude<TestDatabaseSetting, { readonly name: 'auto' }>
  /** The stacks to measure, by name; absent: all. */
  readonly modes?: readonly string[]
  readonly concurrency: readonly number[]
  readonly workloads: readonly WorkloadName[]
  /** Of one slice. */
  readonly seconds: number
  readonly rounds: number
  /** Of an endurance run. */
  readonly requests: number
  /** Absent: wrk where it is installed, else autocannon. */
  readonly generator?: 'wrk' | 'autocannon'
}

/** Arguments that cannot be used: all of them at once. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  constructor(problems: readonly string[]) {
    super([...problems, 'npm run bench -- --help shows what there is'].join('\n'))
  }
}

export const HELP = `npm run bench [-- options]      how fast the service is beside what one would pick instead

  --quick            one short round (about a minute): a smoke test
  --peers            further stacks, from bench/peers (npm ci runs there): Express, Fastify, Drizzle, mariadb,
                     node:http, and Go where it is installed
  --scale            instead: how the cost grows with connections, rows, pool and processes (about ten minutes)
  --endurance        instead: what the service has in memory over millions of requests (about ten minutes)
  --publish          also writes docs/*.json, the charts in docs/, and the tables in docs/performance.md and README.md
  --database WHAT    local (default), docker, or mysql://user:password@host:port (an account that may do everything)
  --modes A,B        only these stacks, by name (an unknown name lists them)
  --concurrency N,M  connections of the load, each 1-4096 (default 1,4,8,16,64)
  --workloads A,B    of ${workloadNames.join(', ')} (default all)
  --seconds N        of one slice, 1-60 (default 1)
  --rounds N         slices of each stack, 1-1000 (default 20; --scale 5)
  --requests N       of --endurance, 1000-999999999 (default 5000000; --quick 100000)
  --generator NAME   wrk or autocannon (default wrk where it is installed)
  --help

Results go to bench/results. Exit codes: 0, 1 when an answer was wrong or an error came, 64 wrong arguments,
69 no database, 130 interrupted.
`

const settings = {
  quick: { type: 'boolean', default: false },
  peers: { type: 'boolean', default: false },
  scale: { type: 'boolean', default: false },
  endurance: { type: 'boolean', default: false },
  publish: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  database: { type: 'string', default: 'local' },
  modes: { type: 'string' },
  concurrency: { type: 'string' },
  workloads: { type: 'string' },
  seconds: { type: 'string' },
  rounds: { type: 'string' },
  requests: { type: 'string' },
  generator: { type: 'string' },
} as const

const comparisonOnly = ['peers', 'modes', 'concurrency', 'workloads'] as const

/** Undefined when help was asked for. @throws UsageError */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const values = parse(args)
  if (values.help) return undefined
  const { quick: isQuick, peers: hasPeers, publish: publishes } = values
  const what = values.scale ? 'scale' : values.endurance ? 'endurance' : 'compare'
  const problems = findConflicts(values, what)
  const database = readDatabase(values.database, problems)
  const [defaultConcurrency, defaultRounds, defaultRequests] = isQuick
    ? ['1,16', '1', '100000']
    : ['1,4,8,16,64', values.scale ? '5' : '20', '5000000']
  const concurrency = listOf(values.concurrency ?? defaultConcurrency).map((text) =>
    readInteger('--concurrency', text, { from: 1, to: 4096, problems }),
  )
  const workloads = listOf(values.workloads ?? workloadNames.join()).flatMap((text) => {
    const found = workloadNames.find((name) => name === text)
    if (found === undefined) problems.push(`--workloads: must be of ${workloadNames.join(', ')}; got '${text}'`)
    return found ?? []
  })
  const seconds = readInteger('--seconds', values.seconds ?? '1', { from: 1, to: 60, problems })
  const rounds = readInteger('--rounds', values.rounds ?? defaultRounds, { from: 1, to: 1000, problems })
  const requests = readInteger('--requests', values.requests ?? defaultRequests, {
    from: 1000,
    to: 999_999_999,
    problems,
  })
  const generator = readGenerator(values.generator, problems)
  if (problems.length > 0 || database === undefined) throw new UsageError(problems)
  return {
    what,
    isQuick,
    publishes,
    hasPeers,
    database,
    ...(values.modes !== undefined && { modes: listOf(values.modes) }),
    concurrency,
    workloads,
    seconds,
    rounds,
    requests,
    ...(generator && { generator }),
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: settings }).values
  } catch (error) {
    // Unknown options, missing values and stray words: Node's own text names them.
    throw new UsageError([error instanceof Error ? error.message : String(error)])
  }
}

/** What does not go together. */
function findConflicts(values: ReturnType<typeof parse>, what: BenchOptions['what']): string[] {
  const chosen = what === 'compare' ? [] : comparisonOnly.filter((name) => values[name])
  return [
    ...(values.quick && values.publish ? ['--publish: not with --quick, whose figures are rough'] : []),
    ...(values.scale && values.endurance ? ['--endurance: not with --scale'] : []),
    ...chosen.map((name) => `--${name}: not with --${what}, which chooses for itself`),
    ...(values.rounds && what === 'endurance' ? ['--rounds: not with --endurance, which has --requests'] : []),
    ...(values.requests && what !== 'endurance' ? ['--requests: only with --endurance'] : []),
  ]
}

function listOf(text: string): readonly string[] {
  return [...new Set(text.split(',').map((word) => word.trim()))]
}

interface Range {
  readonly from: number
  readonly to: number
  readonly problems: string[]
}

function readInteger(name: string, text: string, { from, to, problems }: Range): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= from && value <= to)) {
    problems.push(`${name}: must be an integer from ${from} to ${to}; got '${text}'`)
  }
  return value
}

function readGenerator(text: string | undefined, problems: string[]): BenchOptions['generator'] {
  if (text === undefined || text === 'wrk' || text === 'autocannon') return text
  problems.push(`--generator: must be wrk or autocannon; got '${text}'`)
  return undefined
}

function readDatabase(text: string, problems: string[]): BenchOptions['database'] | undefined {
  try {
    const setting = parseTestDatabase(text)
    if (setting.name !== 'auto') return setting
  } catch {
    // Its text names an environment variable.
  }
  // The value may hold a password, so it is not repeated.
  problems.push('--database: must be local, docker or mysql://user:password@host:port')
  return undefined
}
