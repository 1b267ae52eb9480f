import { parseTestDatabase, type TestDatabaseSetting } from '../test/support/test-database-setting.ts'

/** Arguments that cannot be used: all of them at once. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  /** `command`: what tells of its options with `-- --help`. */
  constructor(problems: readonly string[], command = 'npm run bench') {
    super([...problems, `${command} -- --help shows what there is`].join('\n'))
  }
}

/** The server of a benchmark. */
export type BenchDatabase = Exclude<TestDatabaseSetting, { readonly name: 'auto' }>

interface Range {
  readonly from: number
  readonly to: number
  readonly problems: string[]
}

/** NaN, and a line in `problems`, when it is none of the range. */
export function readInteger(name: string, text: string, { from, to, problems }: Range): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= from && value <= to) return value
  problems.push(`${name}: must be an integer from ${from} to ${to}; got '${text}'`)
  return Number.NaN
}

/** Undefined, and a line in `problems`, when it names no server. */
export function readDatabase(text: string, problems: string[]): BenchDatabase | undefined {
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
