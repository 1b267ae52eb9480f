// Process entry: `npm run migrate` (up), `npm run migrate -- down`, `npm run migrate -- status`.
import { fileURLToPath } from 'node:url'
import type { ConnectionOptions } from '../db/index.ts'
import { migrateDown, migrateToLatest, readMigrationStatus } from '../db/migrator.ts'
import { ConfigError, parseConfig } from './config.ts'
import { exitStatusOf } from './exit-status.ts'

const migrations = fileURLToPath(new URL('../migrations', import.meta.url))
const USAGE = 'usage: npm run migrate [-- down | -- status]'
const EX_USAGE = 64

const onWait = (text: string): void => void process.stderr.write(`${text}\n`)

type Command = (connection: ConnectionOptions) => Promise<string[]>

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['up', async (connection) => reportOf('migrated', await migrateToLatest(connection, migrations, { onWait }))],
  ['down', async (connection) => reportOf('taken back', await migrateDown(connection, migrations, { onWait }))],
  [
    'status',
    async (connection) =>
      (await readMigrationStatus(connection, migrations)).map(
        ({ name, executedAt }) => `${name}: ${executedAt?.toISOString() ?? 'pending'}`,
      ),
  ],
])

function reportOf(verb: string, names: readonly string[]): string[] {
  return names.length === 0 ? ['nothing to do'] : names.map((name) => `${verb}: ${name}`)
}

/** @throws ConfigError */
function configuredConnection(): ConnectionOptions {
  const { database } = parseConfig(process.env)
  if (database.kind === 'configured') return database.connection
  const accepted =
    'set, or DB_HOST, DB_USER, DB_PASSWORD and DB_NAME: the throw-away database is migrated by `npm start`'
  throw new ConfigError([{ name: 'DATABASE_URL', accepted, got: 'nothing' }])
}

/** The error's message, and the first cause of it where the message does not have that already. */
function describe(error: unknown): string {
  let root = error
  while (root instanceof Error && root.cause !== undefined) root = root.cause
  const [text, why] = [error, root].map((each) => (each instanceof Error ? each.message : String(each)))
  return why && !text?.includes(why) ? `${text}: ${why}` : `${text}`
}

async function main([name = 'up', ...rest]: readonly string[]): Promise<number> {
  const command = rest.length === 0 ? commands.get(name) : undefined
  if (!command) {
    process.stderr.write(`${USAGE}\n`)
    return EX_USAGE
  }
  try {
    for (const line of await command(configuredConnection())) process.stdout.write(`${line}\n`)
    return 0
  } catch (error) {
    const { code, text } = exitStatusOf(error)
    process.stderr.write(`${text ?? describe(error)}\n`)
    return code
  }
}

process.exitCode = await main(process.argv.slice(2))
