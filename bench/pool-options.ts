import { parseArgs } from 'node:util'
import { type Checkout, readCheckout } from './checkout.ts'
import { type BenchDatabase, readDatabase, readInteger, UsageError } from './option-values.ts'

export interface PoolOptions {
  readonly database: BenchDatabase
  readonly pairs: number
  /** Absent: this checkout is measured against stock alone. */
  readonly against?: Checkout
}

export const POOL_HELP = `npm run bench:pool [-- options]   what the pool costs a request beside stock Kysely + mysql2

  --against CHECKOUT  also the pool of another checkout of this project (a path; with its node_modules), interleaved
  --database WHAT     local (default), docker, or mysql://user:password@host:port (an account that may do everything)
  --pairs N           slices of each side, 6-1000 (default 30)
  --help

Exit codes: 0, 1 when an answer was wrong, 64 wrong arguments, 69 no database.
`

/** Undefined when help was asked for. @throws UsageError */
export function parsePoolOptions(args: readonly string[]): PoolOptions | undefined {
  const values = parse(args)
  if (values.help) return undefined
  const problems: string[] = []
  const against = values.against === undefined ? undefined : readCheckout(values.against, problems)
  const database = readDatabase(values.database, problems)
  // Fewer than six bound no median.
  const pairs = readInteger('--pairs', values.pairs, { from: 6, to: 1000, problems })
  if (problems.length > 0 || database === undefined) throw usageError(problems)
  return { database, pairs, ...(against && { against }) }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        against: { type: 'string' },
        database: { type: 'string', default: 'local' },
        pairs: { type: 'string', default: '30' },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    // Unknown options, missing values and stray words: Node's own text names them.
    throw usageError([error instanceof Error ? error.message : String(error)])
  }
}

function usageError(problems: readonly string[]): UsageError {
  return new UsageError(problems, 'npm run bench:pool')
}
