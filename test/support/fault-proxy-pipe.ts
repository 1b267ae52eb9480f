import type { Socket } from 'node:net'

/** Held back at most; then the sender is not read any more. */
const MAX_HELD_BYTES = 1_048_576

type Item =
  | { readonly dueAtMs: number; readonly chunk: Buffer }
  /** The sender's FIN. */
  | { readonly dueAtMs: number; readonly chunk: undefined }

/** One direction of a flow: passes on what one socket receives to another; can delay it, hold it back or lose it. */
export class FlowPipe {
  /** Of what comes from now on, in ms. */
  delayMs: number
  readonly #items: Item[] = []
  #heldBytes = 0
  #from: Socket | undefined
  #to: Socket | undefined
  #timer: NodeJS.Timeout | undefined
  #isStalled = false
  #isLost = false
  #cut: { bytesLeft: number; readonly end: () => void } | undefined
  #onEmpty: (() => void) | undefined
  /** Called with what comes, before it is passed on. */
  onChunk: (chunk: Buffer) => void = () => {}
  /** That were passed on. */
  bytes = 0

  constructor(delayMs: number) {
    this.delayMs = delayMs
  }

  readFrom(socket: Socket): void {
    this.#from = socket
    socket.on('data', (chunk) => this.#push(chunk))
    socket.once('end', () => this.#push(undefined))
  }

  /** What came earlier is passed on now. */
  writeTo(socket: Socket): void {
    this.#to = socket
    socket.on('drain', () => this.#throttle())
    this.#deliver()
  }

  inject(bytes: Buffer): void {
    this.#push(bytes)
  }

  stall(): void {
    this.#isStalled = true
  }

  resume(): void {
    this.#isStalled = false
    this.#deliver()
  }

  /** Reads on, so that the sender notices nothing, and passes nothing on any more. */
  lose(): void {
    this.#isLost = true
    this.#items.length = 0
    this.#heldBytes = 0
    clearTimeout(this.#timer)
    this.#from?.resume()
  }

  /** Calls `end` instead of passing on more than `bytes` from now. */
  endAfter(bytes: number, end: () => void): void {
    this.#cut = { bytesLeft: bytes, end }
    if (bytes === 0) end()
  }

  /** Calls `task` once nothing is held back. */
  whenEmpty(task: () => void): void {
    if (this.#isLost) return
    if (this.#items.length === 0) task()
    else this.#onEmpty = task
  }

  #push(chunk: Buffer | undefined): void {
    if (this.#isLost) return
    if (chunk) this.onChunk(chunk)
    if (this.#isLost) return // by whoever was shown it
    this.#items.push({ dueAtMs: performance.now() + this.delayMs, chunk })
    this.#heldBytes += chunk?.length ?? 0
    this.#deliver()
    this.#throttle()
  }

  /** Passes on what is due, in order. */
  #deliver(): void {
    clearTimeout(this.#timer)
    while (this.#to && !this.#isStalled) {
      const item = this.#items[0]
      if (!item) {
        this.#onEmpty?.()
        return
      }
      const waitMs = item.dueAtMs - performance.now()
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#deliver(), waitMs)
        return
      }
      this.#items.shift()
      this.#heldBytes -= item.chunk?.length ?? 0
      if (item.chunk) this.#write(this.#to, item.chunk)
      else this.#to.end()
    }
  }

  #write(to: Socket, chunk: Buffer): void {
    const cut = this.#cut
    if (!to.writable) return
    const passed = cut ? chunk.subarray(0, cut.bytesLeft) : chunk
    this.bytes += passed.length
    if (!cut) {
      to.write(passed)
      return
    }
    cut.bytesLeft -= passed.length
    const isLast = cut.bytesLeft === 0
    if (isLast) this.#isStalled = true // until it is closed
    // The kernel must have the last byte before a reset, which would overtake it.
    to.write(passed, () => isLast && cut.end())
  }

  /** Stops reading while the receiver, or a stall, leaves too much here. */
  #throttle(): void {
    const isFull = this.#heldBytes > MAX_HELD_BYTES || this.#to?.writableNeedDrain === true
    if (isFull && !this.#isLost) this.#from?.pause()
    else this.#from?.resume()
  }
}
