import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConnectionOptions } from '../connection-options.ts'

/** The random passwords of one data folder. */
export interface Accounts {
  readonly appPassword: string
  readonly adminPassword: string
}

/** The schema that the app account may use. */
const localSchema = 'sakila'

/** Makes new passwords and keeps them in the folder, readable by its owner only. */
export async function writeAccounts(folder: string): Promise<void> {
  const accounts: Accounts = { appPassword: randomPassword(), adminPassword: randomPassword() }
  await writeFile(join(folder, 'accounts.json'), `${JSON.stringify(accounts)}\n`, { mode: 0o600 })
  await writeFile(join(folder, 'accounts.sql'), accountsSql(accounts), { mode: 0o600 })
}

export async function readAccounts(folder: string): Promise<Accounts> {
  // Written by writeAccounts and by nobody else.
  return JSON.parse(await readFile(join(folder, 'accounts.json'), 'utf8')) as Accounts
}

/** How the app or the admin of a throw-away database logs in. */
export function loginOptions(user: 'app' | 'admin', accounts: Accounts, port: number): ConnectionOptions {
  const password = user === 'app' ? accounts.appPassword : accounts.adminPassword
  return { host: '127.0.0.1', port, user, password: () => Promise.resolve(password), database: localSchema }
}

/**
 * Run by the server at each start (`--init-file`), before it listens: MySQL cannot create users while it initialises. Safe
 * to run again. One statement a line, as both servers want it.
 */
function accountsSql({ appPassword, adminPassword }: Accounts): string {
  return [
    `CREATE DATABASE IF NOT EXISTS ${localSchema};`,
    ...accountSql('app', appPassword, `GRANT ALL ON ${localSchema}.* TO 'app'@'127.0.0.1';`),
    ...accountSql('admin', adminPassword, "GRANT ALL ON *.* TO 'admin'@'127.0.0.1' WITH GRANT OPTION;"),
    // It has no password.
    "DROP USER IF EXISTS 'root'@'localhost';",
    '',
  ].join('\n')
}

function accountSql(user: string, password: string, grant: string): readonly string[] {
  const name = `'${user}'@'127.0.0.1'`
  return [`CREATE USER IF NOT EXISTS ${name};`, `ALTER USER ${name} IDENTIFIED BY '${password}';`, grant]
}

/** base64url: nothing in it needs quoting. */
function randomPassword(): string {
  return randomBytes(24).toString('base64url')
}
