import { join, resolve } from 'node:path'
import type { Checkout } from './checkout.ts'
import { buildGoPeer } from './go-peer.ts'
import { UsageError } from './option-values.ts'
import { describeCheckout } from './setup.ts'
import type { Stack } from './stack.ts'
import { WRITE_TOKEN, workloadNames } from './workloads.ts'

const here = import.meta.dirname
const service = resolve(here, '../src/server.ts')
const reads = ['seed', 'city', 'cities'] as const
// The access log off: the other stacks write none.
const serviceSettings = { WRITE_TOKENS: WRITE_TOKEN, LOG_LEVEL: 'warn' }

/** What switches the hot path off and leaves the pool as it is. */
const withoutHotPath = { PREPARED_STATEMENTS: 'off', LOOKUP_BATCH: '1' }

const ownStacks: readonly Stack[] = [
  {
    name: 'per-request',
    title: 'Connection per request',
    command: [process.execPath, service],
    environment: { ...serviceSettings, ...withoutHotPath, CONNECTION_STRATEGY: 'per-request' },
    workloads: workloadNames,
  },
  {
    name: 'stock',
    title: 'Hono + Kysely + mysql2, stock',
    command: [process.execPath, join(here, 'servers/stock.ts')],
    environment: {},
    workloads: workloadNames,
  },
  {
    name: 'pooled',
    title: 'still-here without its hot path',
    command: [process.execPath, service],
    environment: { ...serviceSettings, ...withoutHotPath },
    workloads: workloadNames,
  },
  {
    name: 'service',
    title: 'still-here',
    command: [process.execPath, service],
    environment: serviceSettings,
    workloads: workloadNames,
  },
  {
    name: 'no-database',
    title: 'Hono without a database',
    command: [process.execPath, join(here, 'servers/no-database.ts')],
    environment: {},
    workloads: ['seed'],
  },
]

const npmPeers: readonly Stack[] = [
  { name: 'express', title: 'Express + mysql2', file: 'express.js' },
  { name: 'fastify', title: 'Fastify + @fastify/mysql', file: 'fastify.js' },
  { name: 'drizzle', title: 'Hono + Drizzle + mysql2', file: 'drizzle.js' },
  { name: 'mariadb', title: 'Hono + mariadb connector', file: 'mariadb.js' },
  { name: 'node-http', title: 'node:http + mysql2 execute', file: 'node-http.js' },
].map(({ name, title, file }) => ({
  name,
  title,
  command: [process.execPath, join(here, 'peers', file)],
  environment: {},
  workloads: reads,
}))

/** @throws RangeError when there is none of this name */
export function findOwnStack(name: string): Stack {
  const found = ownStacks.find((stack) => stack.name === name)
  if (found === undefined) throw new RangeError(`no stack '${name}'`)
  return found
}

/** The service of another checkout, with the settings of ours. */
export async function stackOfCheckout({ folder }: Checkout): Promise<Stack> {
  const title = `still-here at ${await describeCheckout(folder)}`
  return {
    ...findOwnStack('service'),
    name: 'other',
    title,
    command: [process.execPath, join(folder, 'src/server.ts')],
  }
}

/** The stacks to measure. @throws UsageError for a name that there is not */
export function chooseStacks(modes: readonly string[] | undefined, peers: readonly Stack[]): readonly Stack[] {
  const all = [...ownStacks, ...peers]
  if (modes === undefined) return all
  const known = all.map(({ name }) => name)
  const unknown = modes.filter((mode) => !known.includes(mode))
  if (unknown.length > 0) throw new UsageError([`--modes: must be of ${known.join(', ')}; got '${unknown.join(', ')}'`])
  return all.filter(({ name }) => modes.includes(name))
}

/** The peers that can run here. */
export async function findPeers(say: (line: string) => void): Promise<readonly Stack[]> {
  const go = await buildGoPeer(say)
  if (go === undefined) return npmPeers
  return [
    ...npmPeers,
    {
      name: 'go',
      title: `Go ${go.version} net/http + database/sql`,
      command: [go.program],
      environment: {},
      workloads: reads,
    },
  ]
}
