import assert from 'node:assert/strict'
import { afterAll, beforeAll, test } from 'vitest'
import type { Flow, FlowCut, FlowDirection } from '../support/fault-proxy-flow.ts'
import { faultsRun } from '../support/faults-run.ts'
import { atLeast, atMost, given, reportFigures } from '../support/figures.ts'
import { createRandom } from '../support/random.ts'
import { queryAsAdmin } from '../support/server-faults.ts'
import { type ProxiedService, startProxiedService, startWriteServer, type WriteServer } from '../support/write-site.ts'

const seed = Number(process.env['CUTS_SEED'] ?? Date.now() % 2 ** 31)
/** A pool opens at most ten connections a second, and each cut costs one. */
const REPLICAS = 8

let server: WriteServer

beforeAll(async () => {
  console.info(`[cuts] CUTS_SEED=${seed}`)
  server = await startWriteServer()
})
afterAll(() => server.dispose())

/** A service whose next transaction is cut as ordered; what it does about that is left alone. */
class Replica {
  readonly #service: ProxiedService
  #onBegin: (flow: Flow) => void = () => {}

  static async start(): Promise<Replica> {
    return new Replica(await startProxiedService(server.schema))
  }

  private constructor(service: ProxiedService) {
    this.#service = service
    service.proxy.onFlow = (flow) => {
      flow.watch('toServer', (chunk) => {
        if (!chunk.includes('begin')) return
        const onBegin = this.#onBegin
        this.#onBegin = () => {}
        onBegin(flow)
      })
    }
  }

  async post(city: string, onBegin: (flow: Flow) => void): Promise<Response> {
    this.#onBegin = onBegin
    return await this.#service.app.request('/cities', {
      method: 'POST',
      headers: { Authorization: `Bearer ${this.#service.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ city, countryId: 44 }),
    })
  }

  async dispose(): Promise<void> {
    await this.#service.close()
  }
}

/** Names of one length, so that all conversations have one. */
const nameOf = (index: number) => `cut ${String(index).padStart(5, '0')}`

/** How many bytes one POST takes in each direction, from BEGIN to the answer of COMMIT, on a new connection. */
async function measureConversation(replica: Replica): Promise<Readonly<Record<FlowDirection, number>>> {
  await replica.post(nameOf(99_998), (flow) => flow.cut('rst'))
  let used: Flow | undefined
  let before = { toServer: 0, toClient: 0 }
  const answer = await replica.post(nameOf(99_999), (flow) => {
    used = flow
    before = { ...flow.bytes }
  })
  assert.equal(answer.status, 201)
  assert.ok(used)
  return { toServer: used.bytes.toServer - before.toServer, toClient: used.bytes.toClient - before.toClient }
}

/** Each byte in each direction with each end; or a seeded tenth of them. */
function chooseCuts(lengths: Readonly<Record<FlowDirection, number>>): readonly FlowCut[] {
  const random = createRandom(seed)
  const all = (['toServer', 'toClient'] as const).flatMap((direction) =>
    (['fin', 'rst'] as const).flatMap((end) =>
      Array.from({ length: lengths[direction] + 1 }, (_, bytes): FlowCut => ({ direction, bytes, end })),
    ),
  )
  return all.filter(() => faultsRun.isFull || random.next() < 0.1)
}

interface Written {
  readonly cut: FlowCut
  readonly city: string
  readonly status: number
  readonly cityId: number | undefined
}

test('a POST that is cut at any byte, in either direction and way, is answered with the truth, and its row is there once', async () => {
  const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => Replica.start()))
  try {
    const lengths = await measureConversation(replicas[0] as Replica) // there are eight
    const cuts = chooseCuts(lengths)
    const queue = [...cuts.entries()]
    const written: Written[] = []
    const work = async (replica: Replica) => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const [index, cut] = next
        const city = nameOf(index)
        const answer = await replica.post(city, (flow) => flow.cutAfter(cut))
        const { cityId } = (await answer.json()) as { cityId?: number }
        written.push({ cut, city, status: answer.status, cityId })
      }
    }
    await Promise.all(replicas.map(work))
    const rows = await queryAsAdmin(
      server,
      `SELECT city, city_id AS id FROM ${server.schema.app.database}.city WHERE city LIKE 'cut %'`,
    )
    const idsOf = Map.groupBy(rows, (row) => String(row['city']))
    const isTrue = ({ city, status, cityId }: Written) =>
      status === 201 && idsOf.get(city)?.length === 1 && idsOf.get(city)?.[0]?.['id'] === cityId
    const wrong = written.filter((one) => !isTrue(one))
    if (wrong.length > 0) console.info('[cuts]', wrong.slice(0, 10))
    const count = (direction: FlowDirection, end: string) =>
      cuts.filter((cut) => cut.direction === direction && cut.end === end).length
    await reportFigures('one POST, cut at every byte', server, [
      given('bytes to the server', lengths.toServer),
      given('bytes to the client', lengths.toClient),
      atLeast('cases', written.length, faultsRun.isFull ? 1_200 : 50),
      given('of them RST', count('toServer', 'rst') + count('toClient', 'rst')),
      atMost('not answered with the truth', wrong.length, 0),
      atMost('rows more than writes', rows.length - written.length - 2, 0),
    ])
  } finally {
    await Promise.all(replicas.map((replica) => replica.dispose()))
  }
}, 300_000)
