import { randomBytes } from 'node:crypto'
import { createConnection } from 'mysql2/promise'
import { inject } from 'vitest'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import type { Flavour } from '../../db/local/server-version.ts'
import { toConnectionOptions } from './docker-server.ts'
import type { ServerLogin } from './test-database-setting.ts'
import './provided-context.ts'

/** A schema that belongs to one test file. Empty: whoever needs tables migrates it with `migrator`. */
export interface TestSchema {
  readonly flavour: Flavour
  /** As the server says it. */
  readonly version: string
  /** The runtime user: SELECT, INSERT, UPDATE and DELETE on this schema and nothing else. */
  readonly app: ConnectionOptions
  /** The migrating user: everything on this schema. */
  readonly migrator: ConnectionOptions
  /** May do everything on the whole server, which other files use at the same time. */
  readonly admin: ConnectionOptions
  /** Removes the schema and its users. */
  readonly drop: () => Promise<void>
}

/** Makes a schema with a random name on the server that the run shares (integration project). */
export async function createTestSchema(): Promise<TestSchema> {
  const { admin, flavour, version } = inject('sharedServer')
  return { flavour, version, ...(await createSchemaOn(admin)) }
}

/** The same on a server of the test's own. */
export async function createSchemaOn(server: ServerLogin): Promise<Omit<TestSchema, 'flavour' | 'version'>> {
  // Letters and digits only: in a GRANT an underscore of a schema's name stands for any character.
  const schema = `stillhere${randomBytes(6).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  const app = { ...server, user: `${schema}app`, password }
  const migrator = { ...server, user: `${schema}mig`, password }
  await runStatements(server, [
    `CREATE DATABASE ${schema}`,
    `CREATE USER '${app.user}'@'%' IDENTIFIED BY '${password}'`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.* TO '${app.user}'@'%'`,
    `CREATE USER '${migrator.user}'@'%' IDENTIFIED BY '${password}'`,
    `GRANT ALL ON ${schema}.* TO '${migrator.user}'@'%'`,
  ])
  return {
    app: toConnectionOptions(app, schema),
    migrator: toConnectionOptions(migrator, schema),
    admin: toConnectionOptions(server, schema),
    drop: () =>
      runStatements(server, [
        `DROP DATABASE IF EXISTS ${schema}`,
        `DROP USER IF EXISTS '${app.user}'@'%'`,
        `DROP USER IF EXISTS '${migrator.user}'@'%'`,
      ]),
  }
}

async function runStatements(server: ServerLogin, statements: readonly string[]): Promise<void> {
  const connection = await createConnection({ ...server, connectTimeout: 10_000 })
  try {
    for (const statement of statements) await connection.query(statement)
  } finally {
    await connection.end()
  }
}
