import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, test } from 'vitest'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { errorPacket } from './fault-proxy-flow.ts'

/** Long enough for anything that could wrongly arrive over the loopback. */
const QUIET_MS = 60

let upstream: Server
let upstreamSockets: Socket[]
let proxy: FaultProxy

beforeEach(async () => {
  upstreamSockets = []
  upstream = await listenUpstream((socket) => socket.on('data', (chunk) => socket.write(chunk)))
  proxy = await startFaultProxy({ host: '127.0.0.1', port: portOf(upstream) })
})
afterEach(async () => {
  await proxy.dispose()
  for (const socket of upstreamSockets) socket.destroy()
  upstream.close()
})

async function listenUpstream(serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    upstreamSockets.push(socket)
    socket.on('error', () => {})
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

/** A client of the proxy and what it sees, in order: `data:…`, `fin`, the code of an error. */
async function openClient(): Promise<{ socket: Socket; seen: string[] }> {
  const socket = connect({ ...proxy.address, allowHalfOpen: true })
  const seen: string[] = []
  socket.on('data', (chunk) => seen.push(`data:${chunk}`))
  socket.on('end', () => seen.push('fin'))
  socket.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code ?? error.message))
  await once(socket, 'connect')
  return { socket, seen }
}

async function until(isSo: () => boolean): Promise<void> {
  for (let waitedMs = 0; !isSo() && waitedMs < 2_000; waitedMs += 2) await sleep(2)
  assert.ok(isSo(), 'did not happen within 2 s')
}

test('passes bytes on in both directions, and a FIN as a FIN', async () => {
  const { socket, seen } = await openClient()
  socket.write('ping')
  await until(() => seen.length === 1)
  let isFinSeen = false
  upstreamSockets[0]?.on('end', () => {
    isFinSeen = true
    upstreamSockets[0]?.end('bye')
  })
  socket.end()
  await until(() => seen.length === 3)
  assert.equal(isFinSeen, true)
  assert.deepEqual(seen, ['data:ping', 'data:bye', 'fin'])
  await until(() => proxy.flows.length === 0)
})

test('cuts by FIN or by RST, as asked', async () => {
  const polite = await openClient()
  await until(() => upstreamSockets.length === 1)
  proxy.cutAll('fin')
  await until(() => polite.seen.length === 1)
  const rude = await openClient()
  await until(() => upstreamSockets.length === 2)
  proxy.cutAll('rst')
  await until(() => rude.seen.length === 1)
  assert.deepEqual([polite.seen, rude.seen], [['fin'], ['ECONNRESET']])
})

test('a reset on one side becomes a reset on the other', async () => {
  const { seen } = await openClient()
  await until(() => upstreamSockets.length === 1)
  upstreamSockets[0]?.resetAndDestroy()
  await until(() => seen.length > 0)
  assert.deepEqual(seen, ['ECONNRESET'])
})

test('cuts at byte N of a direction, the N-th included', async () => {
  for (const [direction, end, expected] of [
    ['toClient', 'fin', ['data:abc', 'fin']],
    ['toClient', 'rst', ['data:abc', 'ECONNRESET']],
    ['toServer', 'rst', ['ECONNRESET']],
  ] as const) {
    proxy.onFlow = (flow) => flow.cutAfter({ direction, bytes: 3, end })
    const { socket, seen } = await openClient()
    socket.write('abcdef')
    await until(() => seen.length === expected.length)
    assert.deepEqual(seen, expected)
  }
})

test('forgotten flows stay forgotten on both sides, and new ones work', async () => {
  const old = await openClient()
  await until(() => upstreamSockets.length === 1)
  proxy.forgetAll()
  const serverSees: string[] = []
  upstreamSockets[0]?.on('data', () => serverSees.push('data'))
  upstreamSockets[0]?.on('end', () => serverSees.push('fin'))
  upstreamSockets[0]?.on('error', () => serverSees.push('rst'))
  old.socket.write('lost')
  upstreamSockets[0]?.end('lost too')
  const fresh = await openClient()
  fresh.socket.write('ping')
  await until(() => fresh.seen.length === 1)
  proxy.cutAll('rst')
  proxy.resumeAll()
  old.socket.resetAndDestroy()
  await sleep(QUIET_MS)
  assert.deepEqual([old.seen, serverSees], [[], []])
})

test('a client that leaves a forgotten flow is not counted as open any more', async () => {
  const { socket } = await openClient()
  await until(() => proxy.flows.length === 1)
  proxy.forgetAll()
  socket.destroy()
  await until(() => proxy.flows.length === 0)
})

test('a stalled direction holds bytes back until it is resumed', async () => {
  const { socket, seen } = await openClient()
  await until(() => upstreamSockets.length === 1)
  proxy.stallAll('toClient')
  socket.write('ping')
  await sleep(QUIET_MS)
  assert.deepEqual(seen, [])
  proxy.resumeAll()
  await until(() => seen.length === 1)
  assert.deepEqual(seen, ['data:ping'])
})

test('injects bytes of its own', async () => {
  const { seen } = await openClient()
  await until(() => upstreamSockets.length === 1)
  const packet = errorPacket(4031, 'HY000', 'idle')
  assert.deepEqual([...packet], [13, 0, 0, 0, 0xff, 0xbf, 0x0f, ...Buffer.from('#HY000idle')])
  for (const flow of proxy.flows) flow.inject('toClient', Buffer.from('hello'))
  await until(() => seen.length === 1)
  assert.deepEqual(seen, ['data:hello'])
})

test('delays each direction', async () => {
  proxy.delayMs = 40
  const { socket, seen } = await openClient()
  const startedAtMs = performance.now()
  socket.write('ping')
  await until(() => seen.length === 1)
  const tookMs = performance.now() - startedAtMs
  assert.ok(tookMs >= 79 && tookMs < 200, `${tookMs} ms`)
})

test('a mute reception accepts and never says anything', async () => {
  proxy.reception = { name: 'mute' }
  const { seen } = await openClient()
  proxy.reception = { name: 'forward' }
  await sleep(QUIET_MS)
  assert.deepEqual([seen, upstreamSockets.length, proxy.flows.length], [[], 0, 1])
})

test('refuses while it does not listen, and listens again on the same port', async () => {
  const old = await openClient()
  await until(() => upstreamSockets.length === 1)
  proxy.refuse()
  await assert.rejects(openClient(), { code: 'ECONNREFUSED' })
  old.socket.write('ping')
  await until(() => old.seen.length === 1)
  await proxy.listen()
  await openClient()
  assert.equal(proxy.acceptedAtMs.length, 2)
})

test('new connections go to the new target, open ones stay', async () => {
  const old = await openClient()
  await until(() => upstreamSockets.length === 1)
  const other = await listenUpstream((socket) => socket.on('data', () => socket.write('other')))
  try {
    proxy.target = { host: '127.0.0.1', port: portOf(other) }
    const fresh = await openClient()
    for (const { socket } of [old, fresh]) socket.write('ping')
    await until(() => old.seen.length === 1 && fresh.seen.length === 1)
    assert.deepEqual([old.seen, fresh.seen], [['data:ping'], ['data:other']])
  } finally {
    other.close()
  }
})

test('a target that is away resets its clients', async () => {
  proxy.target = { host: '127.0.0.1', port: 1 }
  const { seen } = await openClient()
  await until(() => seen.length === 1)
  assert.deepEqual(seen, ['ECONNRESET'])
})
