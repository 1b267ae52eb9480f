// `npm run test:turned`: the HTTP suite and the library's, as ordinary users, on a server whose every default is turned the
// other way. `TEST_DATABASE` chooses the server, as for `npm test`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { chooseServerKind } from './choose-server-kind.ts'
import { startSharedServer } from './shared-server.ts'
import { parseTestSettings } from './test-database-setting.ts'
import { otherWay } from './turned-variables.ts'

/** For ordinary users only: the suites' root connections are plain ones, and would neither commit nor see what others do. */
const NOT_FOR_ROOT = new Set([
  'autocommit',
  'completion_type',
  'tx_read_only',
  'transaction_read_only',
  'sql_select_limit',
])
const SESSION_ONLY = new Set(['timestamp', 'tcp_nodelay', 'use_secondary_engine'])

/** Those that use plain sessions of ordinary users beside ours are left out: such a session is what this is against. */
const SUITES = [
  'http-contract',
  'http-routes',
  'http-change-city',
  'http-create-city',
  'http-walk',
  'city-lookups',
  'prepared-statements',
  'replayed-transactions',
  'transaction-ends',
]

const settings = parseTestSettings(process.env)
const say = (line: string) => console.info(`[turned] ${line}`)
const server = await startSharedServer(settings.database, await chooseServerKind(settings, say), say)
const { host, port, user, password } = server.admin
const root = await createConnection(server.admin)
const [rows] = await root.query<(RowDataPacket & { Variable_name: string })[]>('show session variables')
const present = new Set(rows.map((row) => row.Variable_name))
const turned = Object.entries(otherWay).filter(([name]) => present.has(name))
const isGlobal = ([name]: readonly [string, string]) => !NOT_FOR_ROOT.has(name) && !SESSION_ONLY.has(name)
const global = turned.filter(isGlobal)
const local = turned.filter((each) => !isGlobal(each))
try {
  for (const [name, value] of global) await root.query(`set global ${name} = ${value}`)
  await root.query('set global init_connect = ?', [local.map(([name, value]) => `set ${name} = ${value}`).join('; ')])
  say(`${turned.length} variables turned`)
  const vitest = resolve(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
  const child = spawn(process.execPath, [vitest, 'run', '--project', 'integration', ...SUITES], {
    stdio: 'inherit',
    env: { ...process.env, TEST_DATABASE: `mysql://${user}:${encodeURIComponent(password)}@${host}:${port}` },
  })
  const [code] = await once(child, 'exit')
  process.exitCode = code ?? 1
} finally {
  await root.query("set global init_connect = ''")
  for (const [name] of global) await root.query(`set global ${name} = DEFAULT`)
  await root.end()
  await server.stop()
}
