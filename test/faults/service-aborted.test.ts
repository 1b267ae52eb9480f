import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, test } from 'vitest'
import { createWaveSender } from '../support/clients.ts'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer } from '../support/fault-site.ts'
import { atMost, reportFigures } from '../support/figures.ts'
import { failedOf } from '../support/request-figures.ts'

/** Each way, in ms: a statement's answer takes both. */
const DELAY_MS = 150

let server: FaultServer

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())

/** Sends `GET path` and leaves after `afterMs`; resolves with whether that was before an answer. */
function abort(port: number, path: string, afterMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    let isAnswered = false
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      setTimeout(() => socket.destroy(), afterMs)
    })
    socket.on('data', () => {
      isAnswered = true
    })
    socket.on('error', () => {}) // told by 'close'
    socket.on('close', () => resolve(!isAnswered))
  })
}

async function abortMany(site: FaultSite, { count, atOnce }: { count: number; atOnce: number }): Promise<number> {
  let left = 0
  for (let done = 0; done < count; done += atOnce) {
    const paths = Array.from({ length: atOnce }, (_, index) => `/?city=London%20${done + index}`)
    const aborted = await Promise.all(paths.map((path) => abort(site.service.port, path, 100)))
    left += aborted.filter(Boolean).length
  }
  return left
}

test('2,000 requests that wait for their statement, aborted by their clients, leave nothing in memory', async () => {
  const site = await openFaultSite(server, {
    // Shared lookups, which is the default: one by one, half of 200 would be refused at once and not wait.
    environment: { POOL_SIZE: '8', LOOKUP_BATCH: '32' },
    prepare: (proxy) => {
      proxy.delayMs = DELAY_MS
    },
  })
  try {
    const wave = createWaveSender({ url: site.service.url })
    for (let count = 0; count < 5; count += 1) await wave.send(8)
    const before = await site.service.memoryMegabytes()
    const left = await abortMany(site, { count: 2_000, atOnce: 200 })
    await sleep(1_000)
    const after = await site.service.memoryMegabytes()
    const answers = await wave.send(8)
    wave.close()
    await reportFigures('2,000 requests aborted by their clients, pool of 8', server, [
      atMost('answered before they left', 2_000 - left, 0),
      atMost('resident memory above before, in MB', after - before, 60),
      atMost('failed afterwards', failedOf(answers).length, 0),
    ])
  } finally {
    await site.dispose()
  }
}, 60_000)
