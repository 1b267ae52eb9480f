import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, test } from 'vitest'
import { LoopTurn } from '../../../db/pool/loop-turn.ts'

/** What `far` writes is in the kernel, for `near`, when `write` returns. */
interface Wire {
  readonly near: Socket
  readonly far: Socket
}
const server = createServer()
let wire: Wire
let other: Wire

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  wire = await openWire()
  other = await openWire()
})
afterAll(() => {
  for (const { near, far } of [wire, other]) for (const socket of [near, far]) socket.destroy()
  server.close()
})

async function openWire(): Promise<Wire> {
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  return { near, far }
}

/** Calls `task` from the callback of a socket. */
function inIoCallback(task: () => void): void {
  other.near.once('data', task)
  other.far.write('go')
}

/** Whether what the kernel holds when `pollOnce` is called has been delivered when it resolves. */
function isDelivered(turn: LoopTurn): Promise<boolean> {
  let wasDelivered = false
  wire.near.once('data', () => {
    wasDelivered = true
  })
  wire.far.write('news')
  return turn.pollOnce().then(() => wasDelivered)
}

test('one poll delivers what the kernel holds, for a caller in the callback of a socket', async () => {
  const turn = new LoopTurn()
  assert.ok(await new Promise((resolve) => inIoCallback(() => resolve(isDelivered(turn)))))
})

test('after the poll of its turn a caller waits for one turn less, and it is delivered all the same', async () => {
  const turn = new LoopTurn()
  const turns = await new Promise<number>((resolve, reject) => {
    turn.afterPoll(() => {
      const before = turn.current
      isDelivered(turn).then((wasDelivered) => {
        assert.ok(wasDelivered)
        resolve(turn.current - before)
      }, reject)
    })
  })
  assert.equal(turns, 1)
})

test('who joins the wait of another in the same turn is served as well; who comes later is not let join', async () => {
  const turn = new LoopTurn()
  const found = await new Promise<Promise<boolean>[]>((resolve) => {
    inIoCallback(() => {
      const first = turn.pollOnce()
      turn.afterPoll(() => {
        assert.equal(turn.pollOnce(), first)
        const joined = isDelivered(turn)
        setImmediate(() => resolve([joined, isDelivered(turn)]))
      })
    })
  })
  assert.deepEqual(await Promise.all(found), [true, true])
})
