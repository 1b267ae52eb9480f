import { Agent, request as httpRequest, type RequestOptions } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** One request as its client saw it; times of `performance.now()`. */
export interface RequestRecord {
  readonly startMs: number
  readonly endMs: number
  /** 0: no answer, since the connection broke or the client gave up. */
  readonly status: number
  /** Status and body are what they should be. */
  readonly isOk: boolean
  readonly body: string
  /** The request's own body. */
  readonly sent: string
}

export interface ClientsOptions {
  readonly url: string
  /** How many at a time. Default 16. */
  readonly count?: number
  /** Between an answer and the next request, give or take half, in ms. Default 10. */
  readonly pauseMs?: number
  /** A client gives up after this, in ms. Default 8000: a service that keeps its 5 s never sees it. */
  readonly patienceMs?: number
  /** Where new connections lead to. Default: the port of `url`. */
  readonly portOf?: () => number
  /** Makes each request. Default: `GET /?city=London`, which has to name 312. */
  readonly exchange?: () => Exchange
}

/** What is asked, and which answer is right. */
export interface Exchange {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly isOk: (status: number, body: string) => boolean
}

/** Requests under way until they are stopped. */
export interface Clients {
  /** What has ended so far, in the order of the ends. */
  readonly records: readonly RequestRecord[]
  /** Lets requests under way end and resolves with all of them. */
  readonly stop: () => Promise<readonly RequestRecord[]>
  /** All clients leave at once, whatever they wait for. */
  readonly leave: () => Promise<readonly RequestRecord[]>
}

/** A GET that is right when it is answered 200, and with this body where one is given. */
export function get(path: string, expected?: string): Exchange {
  return {
    method: 'GET',
    path,
    isOk: (status, body) => status === 200 && (expected === undefined || body === expected),
  }
}

const londonLookup = get('/?city=London', 'City "London" is #312')

/** Clients that ask, wait for the answer, pause and ask again, each over its own kept-alive connection. */
export function startClients(options: ClientsOptions): Clients {
  const { count = 16, pauseMs = 10 } = options
  const agent = createAgent(count, options.portOf)
  const records: RequestRecord[] = []
  let isStopped = false

  async function act(): Promise<void> {
    await sleep(Math.random() * pauseMs) // so that they do not march in step
    while (!isStopped) {
      records.push(await send(options, agent))
      await sleep(pauseMs * (0.5 + Math.random()))
    }
  }

  const all = Promise.all(Array.from({ length: count }, act))
  const stop = async () => {
    isStopped = true
    await all
    agent.destroy()
    return records
  }
  return {
    records,
    stop,
    leave: () => {
      isStopped = true
      agent.destroy()
      return stop()
    },
  }
}

/** An agent whose new connections can lead somewhere else from a moment on, as a load balancer's do. */
function createAgent(maxSockets: number, portOf: (() => number) | undefined): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets })
  if (portOf) agent.createConnection = () => connect({ host: '127.0.0.1', port: portOf() })
  return agent
}

/** Sends so many requests at once (default 16), each time over the same kept-alive connections, and waits for all answers. */
export interface WaveSender {
  readonly send: (count?: number) => Promise<readonly RequestRecord[]>
  readonly close: () => void
}

export function createWaveSender(options: ClientsOptions): WaveSender {
  const agent = new Agent({ keepAlive: true })
  return {
    send: (count = 16) => Promise.all(Array.from({ length: count }, () => send(options, agent))),
    close: () => agent.destroy(),
  }
}

/** One request, which never rejects. */
function send(options: ClientsOptions, agent: Agent): Promise<RequestRecord> {
  const { url, patienceMs = 8_000 } = options
  const exchange = options.exchange?.() ?? londonLookup
  const { method, path, headers, body } = exchange
  const { hostname, port } = new URL(url)
  const request: RequestOptions = { agent, hostname, port, method, path, headers: { ...headers } }
  return new Promise((resolve) => {
    const startMs = performance.now()
    const end = (status: number, text: string) => {
      clearTimeout(timer)
      const isOk = status !== 0 && exchange.isOk(status, text)
      resolve({ startMs, endMs: performance.now(), status, isOk, body: text, sent: body ?? '' })
    }
    const timer = setTimeout(() => outgoing.destroy(new Error('the client gave up')), patienceMs)
    const outgoing = httpRequest(request, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => end(response.statusCode ?? 0, text))
      response.on('error', () => end(0, text))
    })
    outgoing.on('error', (error) => end(0, error.message))
    outgoing.end(body)
  })
}
