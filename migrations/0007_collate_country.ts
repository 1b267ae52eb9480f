import type { Kysely } from 'kysely'
import { collateAsTable, collateFully } from './collation/full-weights.ts'

/** Names are equal by full weights, whatever the server's default was when the table was made. */
export async function up(db: Kysely<never>): Promise<void> {
  await collateFully(db, 'country', 'country')
}

export async function down(db: Kysely<never>): Promise<void> {
  await collateAsTable(db, 'country', 'country')
}
