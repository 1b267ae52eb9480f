import type { Workload } from '../workloads.ts'

export interface Load {
  readonly url: string
  readonly workload: Workload
  /** Kept open; each sends its next request when it has its answer. */
  readonly connections: number
  readonly seconds: number
}

/** What one slice of load saw. */
export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers other than 2xx, failed or lost connections, answers that came too late. */
  readonly errors: number
  /** Which; empty without any. */
  readonly errorText: string
}

export interface LoadGenerator {
  /** With its version. */
  readonly name: string
  /** @throws Error when it fails, or when nothing was answered */
  readonly run: (load: Load) => Promise<LoadResult>
}
