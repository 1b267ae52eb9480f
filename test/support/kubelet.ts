import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Probe, Workload } from './manifests.ts'

/** One probe as the kubelet saw it; times of `performance.now()`. */
export interface ProbeRecord {
  readonly name: 'startup' | 'liveness' | 'readiness'
  readonly startMs: number
  readonly endMs: number
  readonly isOk: boolean
  /** The status, or why there was none. */
  readonly answer: string
}

export interface KubeletOptions {
  readonly url: string
  /** From the manifest. */
  readonly container: Pick<Workload['container'], 'startupProbe' | 'livenessProbe' | 'readinessProbe'>
  /** Of all probes, to see more of them in less time; timeouts stay. Default: the manifest's. */
  readonly periodMs?: number | undefined
}

/** Does with a service what the kubelet does with a container, except that it counts restarts and makes none. */
export interface Kubelet {
  readonly records: readonly ProbeRecord[]
  /** What decides whether the Service sends traffic. */
  readonly isReady: boolean
  /** How often the container would have been killed. */
  readonly restarts: number
  /** Lets probes that are under way end. */
  readonly stop: () => Promise<void>
}

/** Starts probing: the startup probe until it succeeds, then the two others. */
export function startKubelet({ url, container, periodMs: commonPeriodMs }: KubeletOptions): Kubelet {
  const records: ProbeRecord[] = []
  const stopped = new AbortController()
  let isReady = false
  let restarts = 0

  /** Probes once a period, one at a time, until `isOver`. */
  async function work(name: ProbeRecord['name'], probe: Probe, onRun: (run: Run) => void, isOver = () => false) {
    const periodMs = commonPeriodMs ?? probe.periodSeconds * 1000
    let run: Run = { isOk: true, length: 0 }
    while (!stopped.signal.aborted && !isOver()) {
      const record = { name, ...(await send(url, probe)) }
      records.push(record)
      run = { isOk: record.isOk, length: record.isOk === run.isOk ? run.length + 1 : 1 }
      onRun(run)
      const pauseMs = Math.max(0, record.startMs + periodMs - performance.now())
      await sleep(pauseMs, undefined, { signal: stopped.signal }).catch(() => {})
    }
  }

  function judgeLiveness(probe: Probe) {
    return ({ isOk, length }: Run) => {
      if (!isOk && length % probe.failureThreshold === 0) restarts += 1
    }
  }

  async function probeAll(): Promise<void> {
    const { startupProbe, livenessProbe, readinessProbe } = container
    let isStarted = false
    await work(
      'startup',
      startupProbe,
      (run) => {
        isStarted = run.isOk
        judgeLiveness(startupProbe)(run)
      },
      () => isStarted,
    )
    await Promise.all([
      work('liveness', livenessProbe, judgeLiveness(livenessProbe)),
      work('readiness', readinessProbe, ({ isOk, length }) => {
        if (isOk) isReady = true
        else if (length >= readinessProbe.failureThreshold) isReady = false
      }),
    ])
  }

  const all = probeAll()
  return {
    records,
    get isReady() {
      return isReady
    },
    get restarts() {
      return restarts
    },
    stop: () => {
      stopped.abort()
      return all
    },
  }
}

/** So many of the same result in a row. */
interface Run {
  readonly isOk: boolean
  readonly length: number
}

/** As pkg/probe/http does: a new connection, its own timeout for all of it, 200 to 399 is success. */
function send(url: string, { httpGet, timeoutSeconds }: Probe): Promise<Omit<ProbeRecord, 'name'>> {
  const startMs = performance.now()
  return new Promise((resolve) => {
    const end = (isOk: boolean, answer: string) => resolve({ startMs, endMs: performance.now(), isOk, answer })
    const outgoing = request(
      new URL(httpGet.path, url),
      {
        agent: false,
        headers: { 'User-Agent': 'kube-probe/1.34', Accept: '*/*', Connection: 'close' },
        signal: AbortSignal.timeout(timeoutSeconds * 1000),
      },
      (response) => {
        const { statusCode: status = 0 } = response
        response.resume()
        response.on('end', () => end(status >= 200 && status < 400, String(status)))
        response.on('error', (error) => end(false, error.message))
      },
    )
    outgoing.on('error', (error) => end(false, error.name === 'AbortError' ? 'timeout' : error.message))
    outgoing.end()
  })
}
