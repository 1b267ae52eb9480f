import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, test } from 'vitest'
import { systemClock } from '../../db/clock.ts'
import { createHttpServer, type HttpServer, ListenError } from '../../src/http-server.ts'

const address = { host: '127.0.0.1', port: 0 }
let server: HttpServer
let port: number

beforeEach(async () => {
  server = createHttpServer(systemClock)
  port = (await server.listen(address)).port
})
afterEach(() => server.close(now(0)))

async function open(text = ''): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {}) // The server may cut it; what came before is what counts.
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

async function readAll(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  await once(socket, 'close')
  return text
}

/** Whether the port is closed, which it is when what the kernel had accepted has been taken. */
function isRefused(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.destroy())
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
    socket.on('close', () => resolve(false))
  })
}

async function rawAnswer(request: string): Promise<string> {
  return await readAll(await open(request))
}

const now = (deadlineMs: number) => ({ delayMs: 0, deadlineMs })
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

test('says so when the port is in use', async () => {
  await assert.rejects(createHttpServer(systemClock).listen({ ...address, port }), (error) => {
    assert.ok(error instanceof ListenError)
    assert.equal(error.message, `cannot listen on 127.0.0.1:${port}: the port is in use`)
    return true
  })
})

test('answers 503 until it is told what to serve', async () => {
  const starting = await fetch(`http://127.0.0.1:${port}/`)
  assert.equal(starting.status, 503)
  assert.equal(starting.headers.get('Retry-After'), '1')
  assert.equal(starting.headers.get('Content-Type'), 'application/problem+json')
  server.serve(() => new Response('served'))
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'served')
})

test('what is no HTTP, or too large, gets a problem too', async () => {
  server.serve(() => new Response('served'))
  const cases: [string, number][] = [
    ['NONSENSE\r\n\r\n', 400],
    [get(`/?${'x'.repeat(20_000)}`), 431],
    ['GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 400],
    ['GET http://[/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400],
  ]
  for (const [request, status] of cases) {
    const answer = await rawAnswer(request)
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
    assert.match(answer, /content-type: application\/problem\+json/i)
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
    assert.equal(body.status, status)
    assert.equal(typeof body.requestId, 'string')
  }
})

test('closes at once when nothing runs, whatever connections are open', async () => {
  server.serve(() => new Response('served'))
  const nothingSent = await open()
  const halfSent = await open('GET / HTTP/1.1\r\nHo')
  const kept = await open(get('/'))
  await once(kept, 'data')
  const startedAtMs = performance.now()
  await server.close(now(60_000))
  assert.ok(performance.now() - startedAtMs < 1000)
  for (const socket of [nothingSent, halfSent, kept]) if (!socket.closed) await once(socket, 'close')
})

test('lets a running request finish, and closes its connection instead of keeping it', async () => {
  const { promise, resolve } = Promise.withResolvers<Response>()
  const arrived = Promise.withResolvers<void>()
  server.serve(() => {
    arrived.resolve()
    return promise
  })
  const answer = rawAnswer(get('/'))
  await arrived.promise
  const closed = server.close(now(60_000))
  while (!(await isRefused()));
  resolve(new Response('finished'))
  const text = await answer
  assert.match(text, /^HTTP\/1.1 200 /)
  assert.match(text, /connection: close/i)
  assert.match(text, /finished$/)
  await closed
})

test('requests that were sent one after the other without waiting are all let finish', async () => {
  const answers: (() => void)[] = []
  server.serve(() => new Promise((resolve) => answers.push(() => resolve(new Response('finished')))))
  const text = rawAnswer(get('/') + get('/'))
  while (answers.length < 2) await sleep(1)
  const closed = server.close(now(60_000))
  while (!(await isRefused()));
  for (const answer of answers) answer()
  assert.equal((await text).match(/finished/g)?.length, 2)
  assert.match(await text, /finishedHTTP.*connection: close/is)
  await closed
})

test('a request sent behind one that was to be the last is answered, and is the last', async () => {
  const answers: (() => void)[] = []
  server.serve(() => new Promise((resolve) => answers.push(() => resolve(new Response('finished')))))
  const socket = await open(get('/'))
  const text = readAll(socket)
  while (answers.length < 1) await sleep(1)
  const closed = server.close(now(60_000))
  while (!(await isRefused()));
  socket.write(get('/'))
  while (answers.length < 2) await sleep(1)
  for (const answer of answers) answer()
  assert.equal((await text).match(/finished/g)?.length, 2)
  assert.equal((await text).match(/connection: close/gi)?.length, 1)
  await closed
})

test('without a delay no connection is ended before the port is closed: its client would come anew', async () => {
  const arrived = Promise.withResolvers<void>()
  const { promise, resolve } = Promise.withResolvers<Response>()
  server.serve(() => {
    arrived.resolve()
    return promise
  })
  const socket = await open(get('/'))
  const text = readAll(socket)
  await arrived.promise
  const closed = server.close(now(60_000))
  resolve(new Response('finished'))
  await once(socket, 'data')
  await sleep(300) // A client that asks three times a second is told too.
  server.serve(() => new Response('last'))
  socket.write(get('/'))
  assert.match(await text, /connection: keep-alive.*finishedHTTP.*connection: close.*last$/is)
  await closed
})

test('ends what still runs at the deadline, and not before', async () => {
  const arrived = Promise.withResolvers<void>()
  server.serve(() => {
    arrived.resolve()
    return new Promise<Response>(() => {})
  })
  const answer = rawAnswer(get('/'))
  await arrived.promise
  const startedAtMs = performance.now()
  await server.close(now(300))
  const tookMs = performance.now() - startedAtMs
  assert.ok(tookMs >= 299 && tookMs < 1300, String(tookMs))
  assert.equal(await answer, '')
})

test('a client that leaves aborts its request', async () => {
  const left = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  server.serve((request) => {
    request.signal.addEventListener('abort', () => left.resolve())
    arrived.resolve()
    return left.promise.then(() => new Response('nobody reads this'))
  })
  const socket = await open(get('/'))
  await arrived.promise
  socket.destroy()
  await left.promise
})

test('nothing is written for a client that has left', async () => {
  const given = Promise.withResolvers<ServerResponse>()
  const answered = Promise.withResolvers<Response>()
  server.serve((_request: Request, env?: { outgoing: ServerResponse }) => {
    if (env) given.resolve(env.outgoing)
    return answered.promise
  })
  const socket = await open(get('/'))
  const outgoing = await given.promise
  socket.destroy()
  await once(outgoing, 'close')
  answered.resolve(new Response('nobody reads this'))
  await sleep(10)
  assert.deepEqual([outgoing.headersSent, outgoing.writableEnded], [false, false])
})

test('a body of a megabyte that nobody reads does no harm', async () => {
  server.serve(() => new Response('served'))
  for (const method of ['POST', 'PUT', 'DELETE']) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method, body: 'x'.repeat(1_000_000) })
    assert.equal(await answer.text(), 'served')
  }
  const get = await rawAnswer(
    `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`,
  )
  assert.match(get, /served$/)
})

test('while it waits for load balancers it takes new connections, and ends each with its answer', async () => {
  server.serve(() => new Response('served'))
  const kept = await open(get('/'))
  await once(kept, 'data')
  const startedAtMs = performance.now()
  const closed = server.close({ delayMs: 400, deadlineMs: 60_000 })
  const reused = readAll(kept)
  kept.write(get('/'))
  assert.match(await reused, /connection: close/i)
  assert.match(await rawAnswer(get('/')), /connection: close/i)
  await closed
  const tookMs = performance.now() - startedAtMs
  assert.ok(tookMs >= 399 && tookMs < 1400, String(tookMs))
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`))
})

test('a server that is still starting has no load balancer to wait for', async () => {
  const startedAtMs = performance.now()
  await server.close({ delayMs: 60_000, deadlineMs: 60_000 })
  assert.ok(performance.now() - startedAtMs < 1000)
})

test('a request that comes when all others have ended is let finish too', async () => {
  const arrived = Promise.withResolvers<void>()
  server.serve(async () => {
    arrived.resolve()
    await sleep(200)
    return new Response('finished')
  })
  const halfSent = await open('GET / HTTP/1.1\r\nHost: localhost\r\n')
  const answer = readAll(halfSent)
  const closed = server.close(now(60_000))
  halfSent.write('\r\n')
  await arrived.promise
  await closed
  assert.match(await answer, /finished$/)
})
