import type { BenchServer } from './database.ts'
import type { LoadGenerator } from './load/load.ts'
import type { BenchOptions } from './options.ts'
import type { Progress } from './progress.ts'
import type { Setup } from './setup.ts'

/** What a kind of run is given. */
export interface RunDeps {
  readonly options: BenchOptions
  readonly setup: Setup
  readonly server: BenchServer
  readonly generator: LoadGenerator
  readonly progress: Progress
  /** Ends the run after the slice under way. */
  readonly stopping: AbortSignal
}

/** What a kind of run found. */
export interface RunResult {
  /** For the terminal. */
  readonly text: string
  /** By name, for the folder of results. */
  readonly files: ReadonlyMap<string, string>
  /** What must be 0. */
  readonly errors: number
  /** Writes what belongs into docs/ and the README. */
  readonly publish: () => Promise<void>
}
