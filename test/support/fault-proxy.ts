import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { findFreePort } from '../../db/local/free-port.ts'
import { Flow, type FlowEnd, type ProxyTarget } from './fault-proxy-flow.ts'

/** How connections that come from now on are met. */
export type Reception =
  /** Passed on to the target. */
  | { readonly name: 'forward' }
  /** Accepted, and never a byte: no greeting, no close. They stay so whatever the reception is later. */
  | { readonly name: 'mute' }
  /** Accepted and closed at once. Unlike `refuse()` the attempts are counted. */
  | { readonly name: 'cut'; readonly end: FlowEnd }

/**
 * A TCP proxy on 127.0.0.1 in front of a real server, which can do what networks do. Faults of one connection are methods
 * of its `Flow`; those of all open ones are here.
 *
 * ```ts
 * const proxy = await startFaultProxy(server.app)
 * const database = createDatabase({ connection: { ...server.app, ...proxy.address } })
 * proxy.cutAll('rst')
 * proxy.onFlow = (flow) => flow.cutAfter({ direction: 'toClient', bytes: 100, end: 'fin' })
 * await proxy.dispose()
 * ```
 */
export class FaultProxy {
  /** Where clients connect to; stays for as long as the proxy lives. */
  readonly address: ProxyTarget
  /** Where new connections lead to; open ones stay where they are. */
  target: ProxyTarget
  /** Default `forward`. */
  reception: Reception = { name: 'forward' }
  /** Delay of each byte of new connections, in ms and each direction. */
  delayMs = 0
  /** Called with each new connection before its first byte: to cut it at a certain one, for example. */
  onFlow: (flow: Flow) => void = () => {}
  #replyDelayMs = 0
  readonly #acceptedAtMs: number[] = []
  readonly #flows = new Set<Flow>()
  #server: Server | undefined

  constructor(address: ProxyTarget, target: ProxyTarget) {
    this.address = address
    this.target = { host: target.host, port: target.port }
  }

  /** The moments, of `performance.now()`, at which connections were accepted since the start or `resetCounts()`. */
  get acceptedAtMs(): readonly number[] {
    return this.#acceptedAtMs
  }

  /** Connections that their client has not closed, oldest first; the forgotten and the mute among them. */
  get flows(): readonly Flow[] {
    return [...this.#flows].filter((flow) => flow.isOpen)
  }

  get isListening(): boolean {
    return this.#server !== undefined
  }

  /** From now on whatever a server says comes so much later, on open and on new connections, in ms. */
  delayReplies(ms: number): void {
    this.#replyDelayMs = ms
    for (const flow of this.#flows) flow.delay('toClient', ms)
  }

  /** Starts `acceptedAtMs` anew. */
  resetCounts(): void {
    this.#acceptedAtMs.length = 0
  }

  /** Closes all open connections, both sides at once; forgotten ones stay as they are. */
  cutAll(end: FlowEnd): void {
    for (const flow of this.#flows) flow.cut(end)
  }

  /** What a firewall does after a quiet hour: open connections are gone for ever and nobody is told; new ones work. */
  forgetAll(): void {
    for (const flow of this.#flows) flow.forget()
  }

  /** Nothing passes any more on open connections, until `resumeAll()` delivers it. New ones work. */
  stallAll(direction: StalledDirection = 'both'): void {
    for (const flow of this.#flows) flow.stall(direction)
  }

  resumeAll(): void {
    for (const flow of this.#flows) flow.resume()
  }

  /** Stops listening: whoever connects gets ECONNREFUSED (and is not counted). Open connections stay. */
  refuse(): void {
    this.#server?.close()
    this.#server = undefined
  }

  /** Listens (again), on the same port. */
  async listen(): Promise<void> {
    if (this.#server) return
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client))
    this.#server = server
    server.listen({ ...this.address, exclusive: true, backlog: 4096 })
    await once(server, 'listening')
  }

  /** Closes everything, the forgotten too. */
  async dispose(): Promise<void> {
    const server = this.#server
    this.refuse()
    for (const flow of this.#flows) flow.destroy()
    if (server) await new Promise((resolve) => server.close(resolve))
  }

  #accept(client: Socket): void {
    this.#acceptedAtMs.push(performance.now())
    const { reception } = this
    const flow = new Flow({ client, delayMs: this.delayMs, id: this.#acceptedAtMs.length })
    this.#flows.add(flow)
    client.once('close', () => flow.isClientCut || this.#flows.delete(flow))
    switch (reception.name) {
      case 'cut':
        flow.cut(reception.end)
        break
      case 'mute':
        flow.forget()
        break
      case 'forward':
        if (this.#replyDelayMs > 0) flow.delay('toClient', this.#replyDelayMs)
        this.onFlow(flow)
        flow.connect(this.target)
    }
  }
}

type StalledDirection = Parameters<Flow['stall']>[0]

/** A proxy that listens on a port of its own, outside the range of outgoing connections, so that `listen()` gets it back. */
export async function startFaultProxy(target: ProxyTarget): Promise<FaultProxy> {
  const proxy = new FaultProxy({ host: '127.0.0.1', port: await findFreePort() }, target)
  await proxy.listen()
  return proxy
}
