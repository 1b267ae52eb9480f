import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Load, LoadGenerator, LoadResult } from './load.ts'

/** What the child process answers with. */
export type AutocannonAnswer = LoadResult | { readonly failure: string }

/** In a process of its own, so that it shares no event loop with the benchmark. */
export function createAutocannon(): LoadGenerator {
  const manifest = createRequire(import.meta.url).resolve('autocannon/package.json')
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
  return { name: `autocannon ${version}`, run }
}

async function run(load: Load): Promise<LoadResult> {
  const child = fork(join(import.meta.dirname, 'autocannon-process.ts'))
  try {
    child.send(load)
    const answer = await Promise.race([
      once(child, 'message').then(([message]) => message as AutocannonAnswer),
      once(child, 'exit').then(([code]) => ({ failure: `it ended with ${code}` })),
    ])
    if ('failure' in answer) throw new Error(`autocannon: ${answer.failure}`)
    if (answer.requests === 0) throw new Error('autocannon got no answer')
    return answer
  } finally {
    child.kill()
  }
}
