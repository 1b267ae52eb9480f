import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** One answer to a probe; times of `performance.now()`. */
export interface ProbeAnswer {
  readonly path: string
  readonly startMs: number
  readonly tookMs: number
  /** 0: none within 3 s. */
  readonly status: number
  readonly body: string
}

/** Asks as a kubelet does: a new connection each time, and its name. */
export function probe(url: string, path: string): Promise<ProbeAnswer> {
  const startMs = performance.now()
  return new Promise((resolve) => {
    const end = (status: number, body: string) =>
      resolve({ path, startMs, tookMs: performance.now() - startMs, status, body })
    const headers = { 'User-Agent': 'kube-probe/1.34', Accept: '*/*' }
    const outgoing = request(`${url}${path}`, { agent: false, headers, timeout: 3_000 }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () => end(response.statusCode ?? 0, body))
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')))
    outgoing.on('error', (error) => end(0, error.message))
    outgoing.end()
  })
}

/** Probes under way until they are stopped. */
export interface Probes {
  readonly answers: readonly ProbeAnswer[]
  readonly stop: () => Promise<readonly ProbeAnswer[]>
}

/** Asks each path again and again, `pauseMs` after the last answer. */
export function startProbes(url: string, paths: readonly string[], pauseMs = 200): Probes {
  const answers: ProbeAnswer[] = []
  let isStopped = false
  const ask = async (path: string) => {
    while (!isStopped) {
      answers.push(await probe(url, path))
      await sleep(pauseMs)
    }
  }
  const all = Promise.all(paths.map(ask))
  return {
    answers,
    stop: async () => {
      isStopped = true
      await all
      return answers
    },
  }
}
