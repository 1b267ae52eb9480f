import { connect, type Socket } from 'node:net'
import { FlowPipe } from './fault-proxy-pipe.ts'

export interface ProxyTarget {
  readonly host: string
  readonly port: number
}

/** How a connection ends: politely, or with a reset. */
export type FlowEnd = 'fin' | 'rst'

export type FlowDirection = 'toServer' | 'toClient'

export interface FlowCut {
  readonly direction: FlowDirection
  /** How many more bytes get through in this direction before both sides are closed; 0: none. */
  readonly bytes: number
  readonly end: FlowEnd
}

/** An error packet as a server sends it on its own account (4031, MariaDB's 1927), for `inject`. */
export function errorPacket(errno: number, sqlState: string, message: string): Buffer {
  const body = Buffer.concat([Buffer.from([0xff, errno & 0xff, errno >> 8]), Buffer.from(`#${sqlState}${message}`)])
  // Three bytes of length, and sequence number 0: no answer to anything.
  return Buffer.concat([Buffer.from([body.length & 0xff, body.length >> 8, 0, 0]), body])
}

/** One connection through the proxy. */
export class Flow {
  /** 1 for the first connection that the proxy ever accepted. */
  readonly id: number
  readonly #client: Socket
  readonly #toServer: FlowPipe
  readonly #toClient: FlowPipe
  #server: Socket | undefined
  #target: ProxyTarget | undefined
  #isForgotten = false
  #isClientCut = false
  #isEnding = false

  constructor({ client, delayMs, id }: { readonly client: Socket; readonly delayMs: number; readonly id: number }) {
    this.id = id
    this.#client = client
    this.#toServer = new FlowPipe(delayMs)
    this.#toClient = new FlowPipe(delayMs)
    client.on('error', () => {}) // what it means for the other side is done on 'close'
    client.once('close', () => this.#sideClosed(client.errored !== null))
    this.#toServer.readFrom(client)
    this.#toClient.writeTo(client)
  }

  /** Bytes that went through so far. */
  get bytes(): Readonly<Record<FlowDirection, number>> {
    return { toServer: this.#toServer.bytes, toClient: this.#toClient.bytes }
  }

  /** Where it leads to; undefined for one that was never passed on. */
  get target(): ProxyTarget | undefined {
    return this.#target
  }

  /** Whether the client has it open, as far as the proxy was told. */
  get isOpen(): boolean {
    return !this.#client.destroyed && !this.#client.readableEnded
  }

  get isForgotten(): boolean {
    return this.#isForgotten
  }

  /** Whether the server's side outlives the client's. */
  get isClientCut(): boolean {
    return this.#isClientCut
  }

  /** Of the socket towards the server: what the server shows as the session's host. */
  get serverSidePort(): number | undefined {
    return this.#server?.localPort
  }

  /** Used by the proxy. A target that cannot be reached resets the client. */
  connect(target: ProxyTarget): void {
    if (this.#isForgotten || this.#client.destroyed) return
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true })
    this.#server = server
    this.#target = target
    server.on('error', () => {})
    server.once('close', () => this.#sideClosed(server.errored !== null))
    this.#toClient.readFrom(server)
    this.#toServer.writeTo(server)
  }

  /** Closes both sides at once. Does nothing to a forgotten flow. */
  cut(end: FlowEnd): void {
    if (this.#isForgotten) return
    for (const socket of this.#sockets()) {
      if (end === 'rst') socket.resetAndDestroy()
      else if (!this.#isEnding) socket.destroySoon()
    }
    this.#isEnding = true
  }

  /** Resets the client alone: the server is told nothing, and what is held back for it can still be delivered. */
  cutClient(): void {
    this.#isClientCut = true
    this.#client.resetAndDestroy()
  }

  /** Shows each chunk before it goes through in this direction: the flow can still be stalled then, or cut. */
  watch(direction: FlowDirection, onChunk: (chunk: Buffer) => void): void {
    this.#pipe(direction).onChunk = onChunk
  }

  /** Closes both sides once so many more bytes have gone through in this direction. */
  cutAfter({ direction, bytes, end }: FlowCut): void {
    this.#pipe(direction).endAfter(bytes, () => this.cut(end))
  }

  /** Sends bytes of our own in this direction, as if the other side had. */
  inject(direction: FlowDirection, bytes: Buffer): void {
    this.#pipe(direction).inject(bytes)
  }

  /** Passes on later what comes from now on in this direction. */
  delay(direction: FlowDirection, ms: number): void {
    this.#pipe(direction).delayMs = ms
  }

  /** Holds back what comes, the ends of sides included, until `resume()`. */
  stall(direction: FlowDirection | 'both' = 'both'): void {
    if (direction !== 'toClient') this.#toServer.stall()
    if (direction !== 'toServer') this.#toClient.stall()
  }

  /** Delivers what was held back and goes on. Does nothing to a forgotten flow. */
  resume(): void {
    this.#toServer.resume()
    this.#toClient.resume()
  }

  /** From now on whatever one side sends or does, closing included, never reaches the other: until the proxy goes. */
  forget(): void {
    this.#isForgotten = true
    this.#toServer.lose()
    this.#toClient.lose()
  }

  /** Used by the proxy at its end. */
  destroy(): void {
    for (const socket of this.#sockets()) socket.destroy()
  }

  #pipe(direction: FlowDirection): FlowPipe {
    return direction === 'toServer' ? this.#toServer : this.#toClient
  }

  #sockets(): readonly Socket[] {
    return this.#server ? [this.#client, this.#server] : [this.#client]
  }

  /** A FIN has travelled through its pipe already; a reset has not. */
  #sideClosed(isReset: boolean): void {
    if (!isReset || this.#isForgotten) return
    const reset = () => this.cut('rst')
    // Not before what was sent ahead of it: that a stalled pipe holds back, so the reset waits as well.
    this.#toServer.whenEmpty(() => this.#toClient.whenEmpty(reset))
  }
}
