import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Workload } from '../workloads.ts'
import type { Load, LoadGenerator, LoadResult } from './load.ts'

const execute = promisify(execFile)
const RESULT = 'bench-result '

/** Undefined where wrk is not installed. */
export async function findWrk(): Promise<LoadGenerator | undefined> {
  // It tells its version together with its usage, and ends with 1.
  const { stdout, code } = await execute('wrk', ['-v']).then(
    ({ stdout }) => ({ stdout, code: 0 }),
    (error: { stdout: string; code: unknown }) => error,
  )
  if (code === 'ENOENT') return undefined
  return { name: /^wrk \S+/.exec(stdout)?.[0] ?? 'wrk', run: runWrk }
}

async function runWrk({ url, workload, connections, seconds }: Load): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), 'still-here-bench-'))
  try {
    const script = join(folder, 'walk.lua')
    await writeFile(script, wrkScript(workload))
    const { stdout } = await execute('wrk', [
      '--threads=1',
      `--connections=${connections}`,
      `--duration=${seconds}s`,
      '--timeout=10s',
      `--script=${script}`,
      url,
    ])
    return parseWrkOutput(stdout)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * The Lua script that walks the paths and prints what wrk counted. One thread, so one walk, which all connections share.
 * Every request is put together before the load begins.
 */
export function wrkScript({ method, paths, headers, body }: Workload): string {
  const headerLines = Object.entries(headers).map(([name, value]) => `wrk.headers[${quote(name)}] = ${quote(value)}`)
  return `local paths = {
${paths.map((path) => `  ${quote(path)},`).join('\n')}
}
local requests, last = {}, 0
${headerLines.join('\n')}

function init()
  for index, path in ipairs(paths) do
    requests[index] = wrk.format(${quote(method)}, path, wrk.headers, ${body === undefined ? 'nil' : quote(body)})
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '${RESULT}{"requests":%d,"us":%d,"p50Us":%d,"p99Us":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
`
}

/** JSON's escapes of what stands in our requests (quotes and backslashes, ASCII only) are Lua's too. */
function quote(text: string): string {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new RangeError(`not printable ASCII: ${text}`)
  return JSON.stringify(text)
}

const errorKinds = ['connect', 'read', 'write', 'timeout', 'status'] as const
type WrkFigures = Readonly<Record<'requests' | 'us' | 'p50Us' | 'p99Us' | (typeof errorKinds)[number], number>>

/** @throws Error with the output when the script's line is missing, or when nothing was answered */
export function parseWrkOutput(output: string): LoadResult {
  const line = output.split('\n').find((candidate) => candidate.startsWith(RESULT))
  if (line === undefined) throw new Error(`wrk said nothing that can be read:\n${output}`)
  const found = JSON.parse(line.slice(RESULT.length)) as WrkFigures
  const { requests, us, p50Us, p99Us } = found
  if (requests === 0) throw new Error(`wrk got no answer:\n${output}`)
  return {
    requests,
    seconds: us / 1e6,
    p50Ms: p50Us / 1000,
    p99Ms: p99Us / 1000,
    errors: errorKinds.reduce((total, kind) => total + found[kind], 0),
    errorText: errorKinds.flatMap((kind) => (found[kind] > 0 ? `${kind} ${found[kind]}` : [])).join(', '),
  }
}
