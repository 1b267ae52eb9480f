import assert from 'node:assert/strict'
import { createTestApp, type TestApp } from '../integration/http-fixture.ts'
import { ModelClient } from './city-model.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type OwnServer, type OwnServerOptions, startOwnServer } from './own-server.ts'
import { queryAsAdmin } from './server-faults.ts'
import { createSchemaOn, type TestSchema } from './test-database.ts'

/** A server of a test file's own with one migrated schema, which stays through all services of the file. */
export interface WriteServer extends OwnServer {
  readonly schema: TestSchema
}

export async function startWriteServer(options: OwnServerOptions = {}): Promise<WriteServer> {
  const server = await startOwnServer(options)
  const { flavour, version } = server
  const schema = { flavour, version, ...(await createSchemaOn(server.login)) }
  return { ...server, schema }
}

/** A service in this process behind a proxy of its own. */
export interface ProxiedService extends TestApp {
  readonly proxy: FaultProxy
}

export async function startProxiedService(schema: TestSchema): Promise<ProxiedService> {
  const proxy = await startFaultProxy(schema.app)
  const service = await createTestApp({ ...schema, drop: async () => {} }, { address: proxy.address })
  const close = async () => {
    await service.close()
    await proxy.dispose()
  }
  return { ...service, proxy, close }
}

/** Several clients, each with cities of its own, of several replicas. */
export function createModelClients(name: string, count: number, replicas: readonly TestApp[]): readonly ModelClient[] {
  return Array.from({ length: count }, (_, index) => new ModelClient(`${name} ${index}`, replicas))
}

/** The table has what the clients believe, and of these names nothing else: each write took effect once. */
export async function assertTable(schema: TestSchema, name: string, clients: readonly ModelClient[]): Promise<void> {
  const rows = await queryAsAdmin(
    schema,
    `SELECT city_id AS cityId, city, country_id AS countryId FROM ${schema.app.database}.city
     WHERE city LIKE '${name} %' ORDER BY city_id`,
  )
  const believed = clients.flatMap(({ cities }) => cities).toSorted((a, b) => a.cityId - b.cityId)
  assert.deepEqual(
    rows.map((row) => ({ ...row })),
    believed,
  )
}
