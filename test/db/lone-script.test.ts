import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, test } from 'vitest'
import { findFreePort } from '../../db/local/free-port.ts'

/** Accepts connections and says nothing. */
let mute: Server
let mutePort: number
let freePort: number

beforeAll(async () => {
  mute = createServer(() => {})
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  mutePort = (mute.address() as { port: number }).port // it listens on TCP
  freePort = await findFreePort()
})
afterAll(() => void mute.close())

interface Ending {
  readonly code: unknown
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
}

interface ScriptOptions {
  readonly port: number
  readonly password?: string
  readonly options?: string
}

/** Runs `body` as a program of its own, in which nothing but the database keeps the process alive. */
function run(body: string, { port, password = "async () => 'x'", options = '' }: ScriptOptions): Promise<Ending> {
  const url = (file: string) => JSON.stringify(new URL(`../../${file}`, import.meta.url).href)
  const script = `
    import { Kysely, sql } from 'kysely'
    import { resilientMysqlDialect } from ${url('db/dialect.ts')}
    import { inTransaction } from ${url('db/transaction.ts')}
    import { Scope } from ${url('db/scope.ts')}
    import { systemClock } from ${url('db/clock.ts')}
    const connection = { host: '127.0.0.1', port: ${port}, user: 'x', password: ${password}, database: 'x' }
    const dialect = resilientMysqlDialect({ connection, pool: { acquireTimeoutMs: 1_000 }, ${options} })
    const db = new Kysely({ dialect })
    const ask = () => sql\`select 1\`.execute(db)
    ${body}`
  const startedAtMs = performance.now()
  const cwd = new URL('../..', import.meta.url)
  return new Promise((resolve) => {
    const settings = ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script]
    execFile(process.execPath, settings, { cwd, timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? (error.code ?? error.signal) : 0, stdout, stderr, ms: performance.now() - startedAtMs }),
    )
  })
}

test('a script that awaits a query ends with its error when no server is there', async () => {
  const { code, stderr } = await run('await ask()', { port: freePort })
  assert.match(stderr, /AcquireTimeoutError: no connection after/)
  assert.equal(code, 1)
}, 30_000)

test('so it does when the server says nothing, or the password never comes', async () => {
  const endings = await Promise.all([
    run('await ask()', { port: mutePort }),
    run('await ask()', { port: freePort, password: '() => new Promise(() => {})' }),
  ])
  for (const { code, stderr } of endings) {
    assert.match(stderr, /AcquireTimeoutError: no connection after/)
    assert.equal(code, 1)
  }
}, 30_000)

test('transactions that are replayed, checks, scopes and connections without a pool are awaited as well', async () => {
  const endings = await Promise.all([
    run('await inTransaction(db, async () => {}, { replay: true })', { port: freePort }),
    run('console.error((await dialect.check()).isAnswering === false ? "checked" : "?"); process.exit(1)', {
      port: freePort,
    }),
    run(
      `const scope = new Scope(systemClock, 300)
       await new Promise((_, reject) => scope.addListener(reject))`,
      { port: freePort },
    ),
    run('await ask()', {
      port: freePort,
      options: "strategy: 'per-request'",
      password: '() => new Promise(() => {})',
    }),
  ])
  const expected = [/AcquireTimeoutError/, /^checked/, /DeadlineExceededError/, /no password in/]
  for (const [place, { code, stderr }] of endings.entries()) {
    assert.match(stderr, expected[place] as RegExp)
    assert.equal(code, 1, stderr)
  }
}, 30_000)

test('a script that is done ends, whether its pool was closed or not', async () => {
  const caught = 'await ask().catch(() => {}); const doneAtMs = performance.now(); '
  const told = "process.on('exit', () => console.log(Math.round(performance.now() - doneAtMs)));"
  const endings = await Promise.all([
    run(`${caught}${told}`, { port: freePort, options: 'random: () => 0.999' }),
    run(`${caught}${told} await db.destroy()`, { port: freePort }),
    run(`const doneAtMs = 0;${told}`, { port: freePort }),
  ])
  for (const { code, stderr } of endings) assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  for (const { stdout } of endings.slice(0, 2)) assert.ok(Number(stdout) < 1_500, stdout)
}, 30_000)
