import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { createWaveSender, type Exchange, get, type RequestRecord } from '../support/clients.ts'
import { type FaultServer, type FaultSite, openFaultSite, startFaultServer, until } from '../support/fault-site.ts'
import { atMost, given, reportFigures } from '../support/figures.ts'
import {
  failedOf,
  firstSuccessAfterMs,
  longestGapMs,
  mostPerSecond,
  slowestMs,
  unansweredOf,
} from '../support/request-figures.ts'
import { listSessions, queryAsAdmin, setReadOnly } from '../support/server-faults.ts'

const LIMIT_MS = 60_000

let primary: FaultServer
let other: FaultServer
let site: FaultSite
let written = 0

beforeAll(async () => {
  const servers = await Promise.all([startFaultServer(), startFaultServer()])
  ;[primary, other] = servers
})
afterAll(async () => {
  await Promise.all([primary.dispose(), other.dispose()])
})
afterEach(() => site.dispose())

function writeCity(): Exchange {
  written += 1
  return { method: 'POST', path: '/cities', body: `fault-${written}`, isOk: (status) => status === 201 }
}

function startReads() {
  return site.startClients({ count: 8, exchange: () => get('/sleep/1', 'slept') })
}

function startWrites() {
  return site.startClients({ count: 8, exchange: writeCity })
}

/** Connections that lead to the first server, and are open as far as anyone knows. */
function countOnPrimary(): number {
  return site.proxy.flows.filter(({ target }) => target?.port === primary.account.port).length
}

/** Of the acknowledged writes those that are nowhere, and of all of them those that are there more than once. */
async function judgeWrites(records: readonly RequestRecord[]): Promise<{ lost: number; duplicated: number }> {
  const sql = `SELECT city AS name FROM ${primary.account.database}.city WHERE city LIKE 'fault-%'`
  const names = [...(await queryAsAdmin(primary, sql)), ...(await queryAsAdmin(other, sql))].map((row) => row['name'])
  const found = new Set(names)
  return {
    lost: records.filter(({ isOk, sent }) => isOk && !found.has(sent)).length,
    duplicated: names.length - found.size,
  }
}

/** Only of those asked after that moment: others may have been answered before the server turned. */
function firstWriteAfterMs(records: readonly RequestRecord[], momentMs: number): number {
  return firstSuccessAfterMs(
    records.filter(({ startMs }) => startMs >= momentMs),
    momentMs,
  )
}

/** A client starts a statement of 9 s and leaves: how long until the server it moved to is rid of it, in ms. */
async function leaveStatement(): Promise<number> {
  const client = site.startClients({ count: 1, pauseMs: 1, exchange: () => get('/sleep/9000') })
  const isRunning = async () =>
    (await listSessions(other, other.account.user)).some(({ info }) => info?.includes('sleep(9)'))
  const startedMs = await until(isRunning, 1_000)
  await client.leave()
  if (startedMs === Number.POSITIVE_INFINITY) return startedMs // it went to the wrong server
  return await until(async () => !(await isRunning()), 5_000)
}

test(
  'writes move by themselves when the primary turns read-only',
  async () => {
    site = await openFaultSite(primary, { program: 'statements' })
    const [reads, writes] = [startReads(), startWrites()]
    await sleep(1_500)
    const busy = createWaveSender({ url: site.service.url, exchange: () => get('/sleep/1000', 'slept') })
    const busyAnswers = busy.send(2)
    await sleep(100)
    site.proxy.target = other.account
    const fault = await setReadOnly(primary)
    const turnedAtMs = performance.now()
    try {
      // The two that are busy, and the one that the pool asks about sessions.
      const idleMovedMs = await until(() => countOnPrimary() <= 3, 2_000)
      const busyRecords = await busyAnswers
      const busyMovedMs = await until(() => countOnPrimary() <= 1, 2_000)
      await sleep(1_000)
      const stoppedMs = await leaveStatement()
      const [readRecords, writeRecords] = await Promise.all([reads.stop(), writes.stop()])
      const { lost, duplicated } = await judgeWrites(writeRecords)
      await reportFigures('primary turns read-only, new connections reach another server', primary, [
        given('writes', writeRecords.length),
        atMost('failed writes', failedOf(writeRecords).length, 0),
        atMost('failed reads', failedOf([...readRecords, ...busyRecords]).length, 0),
        atMost('first write after', firstWriteAfterMs(writeRecords, turnedAtMs), 500, 'ms'),
        atMost('idle connections moved after', idleMovedMs, 200, 'ms'),
        atMost('busy ones moved after their release', busyMovedMs, 200, 'ms'),
        atMost('statement of a client that leaves stopped after', stoppedMs, 1_000, 'ms'),
        atMost('lost', lost, 0),
        atMost('duplicated', duplicated, 0),
      ])
    } finally {
      busy.close()
      await fault.lift()
    }
  },
  LIMIT_MS,
)

test(
  'reads go on and writes come back when every server was read-only for 3 s',
  async () => {
    site = await openFaultSite(primary, { program: 'statements' })
    const [reads, writes] = [startReads(), startWrites()]
    await sleep(1_500)
    site.proxy.target = other.account
    const otherFault = await setReadOnly(other)
    const fault = await setReadOnly(primary)
    const turnedAtMs = performance.now()
    try {
      await sleep(3_000)
      await otherFault.lift()
      const backAtMs = performance.now()
      await sleep(1_500)
      const failovers: number[] = JSON.parse(await (await fetch(`${site.service.url}/failovers`)).text())
      const [readRecords, writeRecords] = await Promise.all([reads.stop(), writes.stop()])
      const { lost, duplicated } = await judgeWrites(writeRecords)
      const wrong = writeRecords.filter(({ status }) => ![201, 503].includes(status))
      await reportFigures('every server read-only for 3 s', primary, [
        given('reads', readRecords.length),
        atMost('failed reads', failedOf(readRecords).length, 0),
        given('slowest read', slowestMs(readRecords), 'ms'),
        atMost('longest gap without a read', longestGapMs(readRecords, turnedAtMs, backAtMs), 200, 'ms'),
        atMost('writes answered other than 201 or 503', wrong.length, 0),
        atMost('unanswered writes', unansweredOf(writeRecords).length, 0),
        atMost('first write after', firstSuccessAfterMs(writeRecords, backAtMs), 500, 'ms'),
        given('mass evictions', failovers.length),
        atMost('mass evictions in any second', mostPerSecond(failovers), 1),
        atMost('lost', lost, 0),
        atMost('duplicated', duplicated, 0),
      ])
    } finally {
      await otherFault.lift()
      await fault.lift()
    }
  },
  LIMIT_MS,
)
