import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import { conditions, type ModelClient, type Operation, operationKinds } from '../support/city-model.ts'
import { killSessions } from '../support/server-faults.ts'
import { createTestSchema, type TestSchema } from '../support/test-database.ts'
import { assertTable, createModelClients, type ProxiedService, startProxiedService } from '../support/write-site.ts'

const seed = Number(process.env['MODEL_SEED'] ?? Date.now() % 2 ** 31)
const CLIENTS = 3
const LIMIT_MS = 60_000

let schema: TestSchema
let replicas: readonly ProxiedService[]
let runs = 0

beforeAll(async () => {
  console.info(`[model] MODEL_SEED=${seed}`)
  schema = await createTestSchema()
  replicas = [await startProxiedService(schema), await startProxiedService(schema)]
})
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.close()))
  await schema.drop()
})

const operation: fc.Arbitrary<Operation> = fc.record({
  // Something must be there to be changed.
  kind: fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...operationKinds) }, fc.constant('create' as const)),
  pick: fc.nat(1_000),
  condition: fc.constantFrom(...conditions),
})

const faults = {
  kill: async () => void (await killSessions(schema, schema.app.user)),
  fin: async () => replicas.forEach(({ proxy }) => void proxy.cutAll('fin')),
  rst: async () => replicas.forEach(({ proxy }) => void proxy.cutAll('rst')),
  forget: async () => replicas[0]?.proxy.forgetAll(),
}
type Fault = keyof typeof faults

/** What one client does, and the fault that befalls everybody meanwhile. */
interface Step {
  readonly client: number
  readonly operation: Operation
  readonly fault?: Fault | undefined
}

function steps(fault: fc.Arbitrary<Fault | undefined>): fc.Arbitrary<readonly Step[]> {
  const step = fc.record({ client: fc.nat(CLIENTS - 1), operation, fault })
  return fc.array(step, { minLength: 5, maxLength: 40 })
}

/** Each client takes its steps in order, all of them at a time. */
async function follow(client: ModelClient | undefined, own: readonly Step[]): Promise<void> {
  for (const { operation, fault } of own) {
    await Promise.all([client?.act(operation), fault && faults[fault]()])
  }
}

async function check(sequence: fc.Arbitrary<readonly Step[]>, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(sequence, async (all) => {
      runs += 1
      const name = `model ${runs}`
      const clients = createModelClients(name, CLIENTS, replicas)
      await Promise.all(
        clients.map((client, index) =>
          follow(
            client,
            all.filter((step) => step.client === index),
          ),
        ),
      )
      await assertTable(schema, name, clients)
    }),
    { seed, numRuns },
  )
}

test(
  'whatever several clients do, every answer and the table are as in the model',
  () => check(steps(fc.constant(undefined)), 15),
  LIMIT_MS,
)

test(
  'and they are also while sessions are killed and connections cut or forgotten',
  () => {
    const rarely = { weight: 1, arbitrary: fc.constant<Fault>('forget') }
    const fault = fc.oneof({ weight: 8, arbitrary: fc.constantFrom<Fault>('kill', 'fin', 'rst') }, rarely)
    return check(steps(fc.option(fault, { nil: undefined, freq: 3 })), 4)
  },
  LIMIT_MS,
)
