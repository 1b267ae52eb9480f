import type { BenchServer } from './database.ts'
import type { LoadGenerator } from './load/load.ts'
import { readCpuMs, readMemoryMb } from './process-figures.ts'
import type { RunningStack } from './stack.ts'
import { sum } from './statistics.ts'
import type { Workload } from './workloads.ts'

/** What one slice of load found. CPU times are per answered request. */
export interface Figures {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly stackCpuMs: number
  /** Absent where the server is not on this machine. */
  readonly databaseCpuMs?: number
  /** Of the stack, at the end. */
  readonly memoryMb: number
  readonly requests: number
  readonly errors: number
  /** Which; empty without any. */
  readonly errorText: string
}

export interface Measurement {
  readonly generator: LoadGenerator
  readonly server: BenchServer
  /** More than one: the load is shared out among them, a generator each. */
  readonly stacks: readonly RunningStack[]
  readonly workload: Workload
  readonly connections: number
  readonly seconds: number
}

export async function measure(measurement: Measurement): Promise<Figures> {
  const { generator, server, stacks, workload, connections, seconds } = measurement
  const stackCpu = async () => sum(await Promise.all(stacks.map(({ pid }) => readCpuMs(pid))))
  const [stackBefore, databaseBefore] = [await stackCpu(), await server.cpuMs()]
  const each = Math.max(1, Math.floor(connections / stacks.length))
  const results = await Promise.all(
    stacks.map(({ url }) => generator.run({ url, workload, connections: each, seconds })),
  )
  for (const stack of stacks) stack.assertAlive()
  const [stackAfter, databaseAfter] = [await stackCpu(), await server.cpuMs()]
  const requests = sum(results.map((result) => result.requests))
  return {
    requestsPerSecond: sum(results.map((result) => result.requests / result.seconds)),
    p50Ms: Math.max(...results.map(({ p50Ms }) => p50Ms)),
    p99Ms: Math.max(...results.map(({ p99Ms }) => p99Ms)),
    stackCpuMs: (stackAfter - stackBefore) / requests,
    ...(databaseBefore !== undefined &&
      databaseAfter !== undefined && { databaseCpuMs: (databaseAfter - databaseBefore) / requests }),
    memoryMb: sum(await Promise.all(stacks.map(({ pid }) => readMemoryMb(pid)))),
    requests,
    errors: sum(results.map(({ errors }) => errors)),
    errorText: results
      .map(({ errorText }) => errorText)
      .filter(Boolean)
      .join(', '),
  }
}
