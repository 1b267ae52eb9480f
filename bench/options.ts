import { parseArgs } from 'node:util'
import { type Checkout, readCheckout } from './checkout.ts'
import { type BenchDatabase, readDatabase, readInteger, UsageError } from './option-values.ts'
import { type WorkloadName, workloadNames } from './workloads.ts'

export interface BenchOptions {
  readonly what: 'compare' | 'pauses' | 'scale' | 'endurance'
  /** Short and rough: a smoke test, never published. */
  readonly isQuick: boolean
  /** Whether docs/ and README get the results. */
  readonly publishes: boolean
  readonly hasPeers: boolean
  readonly database: BenchDatabase
  /** Absent: no other checkout is measured. */
  readonly against?: Checkout
  /** The stacks to measure, by name; absent: all. */
  readonly modes?: readonly string[]
  readonly concurrency: readonly number[]
  readonly workloads: readonly WorkloadName[]
  /** Of one slice; of a run with pauses: from one read to the next. */
  readonly seconds: number
  /** Of a run with pauses: what a round trip to the database takes longer, in ms. */
  readonly roundTripMs: number
  readonly rounds: number
  /** Of an endurance run. */
  readonly requests: number
  /** Absent: wrk where it is installed, else autocannon. */
  readonly generator?: 'wrk' | 'autocannon'
}

export const HELP = `npm run bench [-- options]      how fast the service is beside what one would pick instead

  --quick            one short round (about a minute): a smoke test
  --peers            further stacks, from bench/peers (npm ci runs there): Express, Fastify, Drizzle, mariadb,
                     node:http, and Go where it is installed
  --scale            instead: how the cost grows with connections, rows, pool and processes (about ten minutes)
  --pauses           instead: how long a read takes after a pause of --seconds, one connection (half a minute)
  --endurance        instead: what the service has in memory over millions of requests (about ten minutes)
  --publish          also writes docs/*.json, the charts in docs/, and the tables in docs/performance.md and README.md
  --against CHECKOUT also the service of another checkout of this project (a path; with its node_modules); for the
                     comparison and --pauses
  --database WHAT    local (default), docker, or mysql://user:password@host:port (an account that may do everything)
  --modes A,B        only these stacks, by name (an unknown name lists them)
  --concurrency N,M  connections of the load, each 1-4096 (default 1,4,8,16,64)
  --workloads A,B    of ${workloadNames.join(', ')} (default all)
  --seconds N        of one slice, or of a pause, 1-60 (default 1)
  --rounds N         slices of each stack, 1-1000 (default 20; --scale 5; --pauses 30)
  --round-trip-ms N  of --pauses: a link to the database with so much delay, half of it each way, 0-1000 (default 0: none)
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
  pauses: { type: 'boolean', default: false },
  endurance: { type: 'boolean', default: false },
  publish: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  database: { type: 'string', default: 'local' },
  against: { type: 'string' },
  modes: { type: 'string' },
  concurrency: { type: 'string' },
  workloads: { type: 'string' },
  seconds: { type: 'string' },
  rounds: { type: 'string' },
  'round-trip-ms': { type: 'string' },
  requests: { type: 'string' },
  generator: { type: 'string' },
} as const

const instead = ['pauses', 'scale', 'endurance'] as const
const comparisonOnly = ['peers', 'modes', 'concurrency', 'workloads'] as const
const fullRounds: Readonly<Record<BenchOptions['what'], number>> = { compare: 20, pauses: 30, scale: 5, endurance: 20 }
// Fewer than six bound no median.
const quickRounds: typeof fullRounds = { compare: 1, pauses: 6, scale: 1, endurance: 1 }

/** Undefined when help was asked for. @throws UsageError */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const values = parse(args)
  if (values.help) return undefined
  const { quick: isQuick, peers: hasPeers, publish: publishes } = values
  const what = instead.find((name) => values[name]) ?? 'compare'
  const problems = findConflicts(values, what)
  const against = values.against === undefined ? undefined : readCheckout(values.against, problems)
  const database = readDatabase(values.database, problems)
  const [defaultConcurrency, defaultRequests] = isQuick ? ['1,16', '100000'] : ['1,4,8,16,64', '5000000']
  const defaultRounds = String((isQuick ? quickRounds : fullRounds)[what])
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
  const roundTripMs = readInteger('--round-trip-ms', values['round-trip-ms'] ?? '0', { from: 0, to: 1000, problems })
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
    ...(against && { against }),
    ...(values.modes !== undefined && { modes: listOf(values.modes) }),
    concurrency,
    workloads,
    seconds,
    rounds,
    roundTripMs,
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
  const others = instead.filter((name) => values[name] && name !== what)
  const unpublished = (['quick', 'pauses', 'against'] as const).filter((name) => values[name] && values.publish)
  return [
    ...unpublished.map((name) => `--publish: not with --${name}${name === 'quick' ? ', whose figures are rough' : ''}`),
    ...others.map((name) => `--${name}: not with --${what}`),
    ...chosen.map((name) => `--${name}: not with --${what}, which chooses for itself`),
    ...(values.against && (what === 'scale' || what === 'endurance') ? [`--against: not with --${what}`] : []),
    ...(values.rounds && what === 'endurance' ? ['--rounds: not with --endurance, which has --requests'] : []),
    ...(values.requests && what !== 'endurance' ? ['--requests: only with --endurance'] : []),
    ...(values['round-trip-ms'] && what !== 'pauses' ? ['--round-trip-ms: only with --pauses'] : []),
  ]
}

function listOf(text: string): readonly string[] {
  return [...new Set(text.split(',').map((word) => word.trim()))]
}

function readGenerator(text: string | undefined, problems: string[]): BenchOptions['generator'] {
  if (text === undefined || text === 'wrk' || text === 'autocannon') return text
  problems.push(`--generator: must be wrk or autocannon; got '${text}'`)
  return undefined
}
