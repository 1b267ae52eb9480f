// One run of autocannon in a process of its own: takes a Load, answers with its LoadResult.
import autocannon, { type Client, type Request } from 'autocannon'
import { percentile } from '../statistics.ts'
import type { AutocannonAnswer } from './autocannon.ts'
import type { Load, LoadResult } from './load.ts'

async function run({ url, workload, connections, seconds }: Load): Promise<LoadResult> {
  const { method, headers, body, paths } = workload
  const requests: Request[] = paths.map((path) => ({ method, path, headers, ...(body !== undefined && { body }) }))
  const latencies: number[] = []
  let clients = 0
  const run = autocannon({
    url,
    connections,
    duration: seconds,
    requests,
    // Each client walks by itself: all from the same start would ask for the same name at once.
    setupClient: (client: Client) => {
      const from = Math.floor((clients * requests.length) / connections)
      clients += 1
      client.setRequests([...requests.slice(from), ...requests.slice(0, from)])
    },
  })
  // Its own histogram knows whole milliseconds only.
  run.on('response', (_client, _status, _bytes, ms) => void latencies.push(ms))
  const { errors, non2xx, duration } = await run
  const answered = Float64Array.from(latencies)
  return {
    requests: latencies.length,
    seconds: duration,
    p50Ms: percentile(answered, 0.5),
    p99Ms: percentile(answered, 0.99),
    errors: errors + non2xx,
    errorText: errors + non2xx === 0 ? '' : `connection or timeout ${errors}, status ${non2xx}`,
  }
}

process.on('message', async (load: Load) => {
  const answer: AutocannonAnswer = await run(load).catch((error: unknown) => ({ failure: String(error) }))
  process.send?.(answer)
})
process.on('disconnect', () => process.exit())
