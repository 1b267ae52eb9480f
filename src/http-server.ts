import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate as nextCheck } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import type { Clock } from '../db/index.ts'
import { Answer } from './answer.ts'
import { PROBLEM_TYPE, problemBody } from './problem.ts'

/** The port is taken, or may not be had. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

export interface HttpServer {
  /** Opens the port; until `serve` every request is told to come back. @throws {ListenError} */
  listen(address: { readonly host: string; readonly port: number }): Promise<AddressInfo>
  serve(fetch: (request: Request) => Response | Promise<Response>): void
  /**
   * With a delay ends each connection with its next answer from now on. Then takes no new ones, lets what runs finish,
   * and ends each connection with its next answer, or when nothing has come for `SETTLE_MS`.
   */
  close(options: CloseOptions): Promise<void>
}

interface CloseOptions {
  /** How long new connections are still taken, in ms: load balancers need a while to send none. */
  readonly delayMs: number
  /** After the delay, in ms: what still runs then is cut off. */
  readonly deadlineMs: number
}

/** Longest time to take what the kernel has accepted, in ms. */
const ACCEPT_MS = 50
/**
 * How long nothing must have run before connections without a whole request are closed, in ms: whoever asks twice a second
 * is told with an answer, also by a client that was held up for a while.
 */
const SETTLE_MS = 500
/** An iteration of the event loop that handles nothing takes less, in ms. */
const SHORT_POLL_MS = 0.5

export function createHttpServer(clock: Clock): HttpServer {
  let answer: (request: IncomingMessage, response: ServerResponse) => void = answerStarting
  let isServing = false
  let isDraining = false
  let onChange: (() => void) | undefined
  let running = 0
  let accepted = 0
  let open = 0
  // By connection, whose place in the map it keeps: in a set to which every request came and went, V8's old tables would
  // keep young answers alive until the next full collection.
  const latest = new Map<Socket, ServerResponse>()

  const server = createServer(
    // keepAliveTimeout above a load balancer's usual 60 s, so that it never meets a socket that we just closed. Node
    // counts the other two from a request's first byte, not from the end of the one before.
    {
      ServerResponse: Answer,
      keepAliveTimeout: 65_000,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 5_000,
    },
    (request, response) => {
      running += 1
      if (isDraining) {
        // Of several that were sent without waiting the last: nothing is read after the answer that ends a connection.
        const before = latest.get(request.socket)
        if (before && !before.headersSent) before.removeHeader('Connection')
        response.setHeader('Connection', 'close')
      }
      latest.set(request.socket, response)
      onChange?.()
      response.on('close', () => {
        running -= 1
        onChange?.()
      })
      answer(request, response)
    },
  )
  server.on('clientError', refuseMalformed)
  server.on('connection', (socket) => {
    accepted += 1
    open += 1
    socket.on('close', () => {
      open -= 1
      latest.delete(socket)
      onChange?.()
    })
  })

  function endConnectionsWithAnswers(): void {
    isDraining = true
    for (const response of latest.values()) if (!response.headersSent) response.setHeader('Connection', 'close')
  }

  /** One full poll of the event loop, whatever it is in the middle of now. */
  async function pollOnce(): Promise<void> {
    await nextCheck()
    await nextCheck()
  }

  /**
   * Takes what the kernel has accepted, which would be reset with the port: until a poll brings none, and so little else
   * that hardly any can have come after it was looked for; for `ACCEPT_MS` at most.
   */
  async function untilNoneComes(): Promise<void> {
    const giveUpAtMs = clock.now() + ACCEPT_MS
    for (;;) {
      await nextCheck()
      const before = accepted
      const sinceMs = clock.now()
      await nextCheck()
      const nowMs = clock.now()
      if ((accepted === before && nowMs - sinceMs < SHORT_POLL_MS) || nowMs >= giveUpAtMs) return
    }
  }

  /** Resolves when no connection is open, nothing has run for `SETTLE_MS`, or at the deadline. */
  function untilQuiet(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      let cancelSettle = () => {}
      const end = () => {
        cancelSettle()
        cancelDeadline()
        resolve()
      }
      const cancelDeadline = clock.schedule(deadlineMs, end)
      const settle = async () => {
        await pollOnce() // a request may have arrived that is not read yet
        if (running === 0) end()
      }
      onChange = () => {
        cancelSettle()
        if (open === 0) end()
        else if (running === 0) cancelSettle = clock.schedule(SETTLE_MS, () => void settle())
      }
      onChange()
    })
  }

  return {
    async listen({ host, port }) {
      server.listen({ host, port })
      await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
        throw new ListenError(`cannot listen on ${host}:${port}: ${reasons[error.code ?? ''] ?? error.code}`)
      })
      return server.address() as AddressInfo // It listens on TCP.
    },
    serve(fetch) {
      isServing = true
      const listener = getRequestListener(fetch, { errorHandler: answerUnusable })
      answer = (request, response) => void listener(request, response)
    },
    async close({ delayMs, deadlineMs }) {
      if (!server.listening) return
      // Nobody was sent here yet while it was starting.
      if (isServing && delayMs > 0) {
        endConnectionsWithAnswers()
        await new Promise<void>((resolve) => clock.schedule(delayMs, resolve))
      }
      await untilNoneComes()
      const closed = once(server, 'close')
      // The port alone: http's own close() would also cut idle connections off, on which a request may be on its way.
      NetServer.prototype.close.call(server)
      // Without a delay not sooner: whose connection is ended comes anew, and would meet the port just when it closes.
      endConnectionsWithAnswers()
      await untilQuiet(deadlineMs)
      server.close() // stops its timers
      server.closeAllConnections()
      await closed
    },
  }
}

const reasons: Record<string, string> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'not allowed',
  EADDRNOTAVAIL: 'this machine has no such address',
}

function answerStarting(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(503, { 'Content-Type': PROBLEM_TYPE, 'Retry-After': '1' })
  response.end(problem(503, 'The service is starting.'))
}

/** What cannot be made a request of: no usable Host, a target that is no URL. */
function answerUnusable(): Response {
  return new Response(problem(400, 'The request target or the Host header cannot be used.'), {
    status: 400,
    headers: { 'Content-Type': PROBLEM_TYPE },
  })
}

/** What is not HTTP, too large, or too slow: Node has no response object for it. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  const body = problem(status, 'The request is not HTTP, is too large, or took too long.')
  socket.end(
    `HTTP/1.1 ${status} ${JSON.parse(body).title}\r\nConnection: close\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

function problem(status: number, detail: string): string {
  return problemBody({ status, detail, requestId: crypto.randomUUID() })
}
