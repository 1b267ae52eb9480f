import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { findFreePort } from '../../db/local/free-port.ts'
import { createWaveSender, startClients } from '../support/clients.ts'
import { type FaultServer, startFaultServer, until } from '../support/fault-site.ts'
import { faultsRun } from '../support/faults-run.ts'
import { atMost, given, reportFigures } from '../support/figures.ts'
import { probe } from '../support/probes.ts'
import { failedOf, unansweredOf } from '../support/request-figures.ts'
import { lockTable, openPlainConnection } from '../support/server-faults.ts'
import { type Service, type ServiceOptions, startService } from '../support/service.ts'

const LIMIT_MS = 60_000
const projectFolder = resolve(import.meta.dirname, '../..')

let server: FaultServer
let services: Service[] = []

beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.dispose())
afterEach(async () => {
  await Promise.all(services.map((service) => service.stop()))
  services = []
})

/** Without a proxy between: the server shall see how its connections end. */
async function start(environment: Record<string, string>, others: Partial<ServiceOptions> = {}): Promise<Service> {
  const service = await startService({ database: server.account, account: server.account, environment, ...others })
  services.push(service)
  const isReady = async () => (await probe(service.url, '/readyz')).status === 200
  assert.ok((await until(isReady, 5_000)) < 5_000)
  return service
}

const city = () => `${server.account.database}.city`

test(
  'SIGTERM under load with slow statements: nothing fails, and every connection says goodbye',
  async () => {
    const drainDelayMs = 1_000
    const [service, elsewhere] = await Promise.all([start({ DRAIN_DELAY_MS: String(drainDelayMs) }), start({})])
    const admin = await openPlainConnection(server.admin)
    const abortedClients = async () => {
      const [rows] = await admin.query<RowDataPacket[]>("SHOW GLOBAL STATUS LIKE 'Aborted_clients'")
      return Number(rows[0]?.['Value'])
    }
    let movedAtMs = Number.POSITIVE_INFINITY
    const clients = startClients({
      url: service.url,
      portOf: () => (performance.now() < movedAtMs ? service : elsewhere).port,
    })
    await sleep(1_000)
    const before = await abortedClients()
    const lock = await lockTable(server, city())
    const signalledAtMs = performance.now()
    movedAtMs = signalledAtMs + drainDelayMs / 2
    service.signal('SIGTERM')
    await sleep(drainDelayMs / 4)
    const draining = await probe(service.url, '/readyz')
    assert.deepEqual([draining.status, /not-draining failed/.test(draining.body)], [503, true])
    assert.equal((await probe(service.url, '/livez')).status, 200)
    await sleep(drainDelayMs)
    await lock.lift() // after it has stopped taking connections: these statements are answered all the same
    const liftedAtMs = performance.now()
    const { code, atMs } = await service.ended
    await sleep(300)
    const records = await clients.stop()
    await reportFigures('SIGTERM under load', server, [
      given('requests', records.length),
      given('ended while it drained', records.filter(({ endMs }) => endMs > signalledAtMs && endMs < atMs).length),
      atMost('failed', failedOf(records).length, 0),
      atMost('without an answer', unansweredOf(records).length, 0),
      atMost('exit code', code ?? 99, 0),
      atMost('exit after the last answer', atMs - liftedAtMs, 2_000, 'ms'),
      atMost('aborted clients', (await abortedClients()) - before, 0),
    ])
    await admin.end()
  },
  LIMIT_MS,
)

test(
  'SIGTERM without a drain delay under kept-alive load: no request is cut off, and every connection says goodbye',
  async () => {
    const times = faultsRun.isFull ? 20 : 4
    const admin = await openPlainConnection(server.admin)
    const abortedClients = async () => {
      const [rows] = await admin.query<RowDataPacket[]>("SHOW GLOBAL STATUS LIKE 'Aborted_clients'")
      return Number(rows[0]?.['Value'])
    }
    const before = await abortedClients()
    const codes: (number | null)[] = []
    let requests = 0
    let cut = 0
    let slowestExitMs = 0
    for (let count = 0; count < times; count += 1) {
      const service = await start({ DRAIN_DELAY_MS: '0' })
      const clients = startClients({ url: service.url })
      await sleep(400 + Math.random() * 100)
      const signalledAtMs = performance.now()
      service.signal('SIGTERM')
      const { code, atMs } = await service.ended
      codes.push(code)
      slowestExitMs = Math.max(slowestExitMs, atMs - signalledAtMs)
      const records = await clients.stop()
      // A port that is closed refuses whoever comes to it anew: that is no request.
      const sent = records.filter(({ body }) => !body.includes('ECONNREFUSED'))
      requests += sent.length
      cut += unansweredOf(sent).length
    }
    await sleep(300)
    await reportFigures('SIGTERM without a drain delay, again and again', server, [
      given('times', times),
      given('requests', requests),
      atMost('cut off', cut, 0),
      atMost('exit codes other than 0', codes.filter((code) => code !== 0).length, 0),
      atMost('slowest exit', slowestExitMs, 2_000, 'ms'),
      atMost('aborted clients', (await abortedClients()) - before, 0),
    ])
    await admin.end()
  },
  LIMIT_MS,
)

test(
  'SIGTERM while the server is frozen: who waits is answered, and the process ends',
  async () => {
    const service = await start({ REQUEST_TIMEOUT_MS: '2000' })
    const wave = createWaveSender({ url: service.url })
    await wave.send()
    await server.freeze()
    await sleep(50) // the signal says nothing of when the last thread has stopped
    const signalledAtMs = performance.now()
    const answers = wave.send(16)
    await sleep(300)
    service.signal('SIGTERM')
    const records = await answers
    const { code, atMs } = await service.ended
    await server.thaw()
    wave.close()
    const others = records.filter(({ status }) => status !== 503 && status !== 504)
    if (others.length > 0) console.info(others)
    await reportFigures('SIGTERM, server frozen', server, [
      given('answers', records.filter(({ status }) => status !== 0).length),
      atMost('other than 503 and 504', others.length, 0),
      atMost('exit code', code ?? 99, 0),
      atMost('exit after', atMs - signalledAtMs, 7_000, 'ms'), // 10 s with 5 s for a request
    ])
  },
  LIMIT_MS,
)

test(
  'a client that never ends its request holds the exit until the deadline at most, and metrics stay to the end',
  async () => {
    const metricsPort = await findFreePort()
    const metricsUrl = `http://127.0.0.1:${metricsPort}`
    const service = await start({
      REQUEST_TIMEOUT_MS: '1000',
      WRITE_TOKENS: 'token',
      METRICS_PORT: String(metricsPort),
    })
    assert.equal((await probe(service.url, '/metrics')).status, 404)
    assert.match((await probe(metricsUrl, '/metrics')).body, /^app_draining 0$/m)
    const socket = connect(service.port, '127.0.0.1')
    await once(socket, 'connect')
    const head = ['POST /cities HTTP/1.1', 'Host: x', 'Authorization: Bearer token', 'Content-Type: application/json']
    socket.write([...head, 'Content-Length: 100', '', '{'].join('\r\n'))
    await sleep(200)
    const signalledAtMs = performance.now()
    service.signal('SIGTERM')
    await sleep(100)
    assert.match((await probe(metricsUrl, '/metrics')).body, /^app_draining 1$/m)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    assert.match(answer.toString(), /^HTTP\/1\.1 408 /)
    const { code, atMs } = await service.ended
    socket.destroy()
    await reportFigures('SIGTERM, endless request', server, [
      atMost('exit code', code ?? 99, 0),
      atMost('exit after', atMs - signalledAtMs, 4_000, 'ms'),
    ])
  },
  LIMIT_MS,
)

test(
  'an error that nobody catches is logged, requests are let finish, and the process ends with 1',
  async () => {
    const service = await start({}, { breakage: 'throw' })
    const lock = await lockTable(server, city())
    const answer = fetch(`${service.url}/?city=London`)
    await sleep(300)
    service.signal('SIGUSR2')
    await until(() => service.lines.length > 0, 5_000)
    await lock.lift()
    assert.equal(await (await answer).text(), 'City "London" is #312')
    assert.equal((await service.ended).code, 1)
    const { level, msg, err } = JSON.parse(service.lines[0] ?? '')
    assert.deepEqual([level, msg, err.message], ['fatal', 'uncaughtException', 'nobody catches this'])
  },
  LIMIT_MS,
)

test(
  'SIGTERM while it is still being loaded ends it with 0',
  async () => {
    // Says so when one of the last modules is asked for.
    const hooks = `import { registerHooks } from 'node:module'
      import { writeSync } from 'node:fs'
      registerHooks({ resolve: (name, context, next) => (name === 'mysql2' && writeSync(1, name), next(name, context)) })`
    const preload = `data:text/javascript,${encodeURIComponent(hooks)}`
    const child = spawn(process.execPath, ['--import', preload, 'src/server.ts'], {
      cwd: projectFolder,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.kill('SIGTERM')
    const [code, signal] = await once(child, 'exit')
    assert.deepEqual([code, signal], [0, null])
  },
  LIMIT_MS,
)

test(
  'Ctrl-C under npm start, which delivers it twice, ends it with 0',
  async () => {
    const port = await findFreePort()
    const { host, user, database } = server.account
    const child = spawn('npm', ['start'], {
      cwd: projectFolder,
      detached: true, // a process group of its own, as a terminal gives it
      stdio: 'ignore',
      env: {
        ...process.env,
        HOST: '127.0.0.1',
        PORT: String(port),
        DB_HOST: host,
        DB_PORT: String(server.account.port),
        DB_USER: user,
        DB_PASSWORD: await server.account.password(),
        DB_NAME: database,
      },
    })
    const ended = once(child, 'exit')
    const isReady = async () => (await probe(`http://127.0.0.1:${port}`, '/readyz')).status === 200
    assert.ok((await until(isReady, 15_000)) < 15_000)
    process.kill(-(child.pid ?? 0), 'SIGINT')
    assert.deepEqual(await ended, [0, null])
    await assert.rejects(fetch(`http://127.0.0.1:${port}/livez`))
  },
  LIMIT_MS,
)
