import { type Kysely, sql, type Transaction } from 'kysely'
import { asDriverError } from '../classify-error.ts'
import type { DB } from '../schema.ts'
import { statement } from '../statement.ts'
import { asRead } from '../statement-kind.ts'

/** A write that is done once, however often it is asked for. */
export interface KeyedWrite {
  /** SHA-256, in hexadecimal, of the key and of whom it belongs to. */
  readonly keyHash: string
  /** SHA-256, in hexadecimal, of all that is asked for: the same key with another one is a mistake. */
  readonly requestHash: string
}

/** What is known of a write that was done. */
export interface DoneWrite {
  readonly requestHash: string
  readonly answer: string
}

/** How long a key is kept, in hours. */
const KEPT_HOURS = 24

const isExpired = asRead(sql<boolean>`created_at < current_timestamp - interval ${sql.lit(KEPT_HOURS)} hour`)

/**
 * Takes the key for this transaction, or says what it was taken for. Waits for a transaction that has it and has not
 * ended, so that either answer is final: nobody else takes it before this transaction ends, and what was done stays.
 */
export async function claimKey(trx: Transaction<DB>, write: KeyedWrite): Promise<DoneWrite | undefined> {
  if (await insertKey(trx, write)) return undefined
  // A locking read: a plain one may show an older state.
  const { isOld, ...done } = await trx
    .selectFrom('idempotency_key')
    .select(['request_hash as requestHash', 'answer', isExpired.as('isOld')])
    .where('key_hash', '=', write.keyHash)
    .forUpdate()
    .executeTakeFirstOrThrow()
  if (!isOld) return done
  await trx
    .updateTable('idempotency_key')
    .set({ request_hash: write.requestHash, created_at: asRead(sql<Date>`current_timestamp`) })
    .where('key_hash', '=', write.keyHash)
    .execute()
  return undefined
}

const insertStatement = statement((db, { keyHash, requestHash }: KeyedWrite) =>
  db.insertInto('idempotency_key').values({ key_hash: keyHash, request_hash: requestHash, answer: '' }),
)

/** False when it is there already. */
async function insertKey(trx: Transaction<DB>, write: KeyedWrite): Promise<boolean> {
  try {
    await trx.executeQuery(insertStatement(write))
    return true
  } catch (error) {
    if (asDriverError(error).errno === 1062) return false // ER_DUP_ENTRY
    throw error
  }
}

const answerStatement = statement((db, { keyHash, answer }: { readonly keyHash: string; readonly answer: string }) =>
  db.updateTable('idempotency_key').set({ answer }).where('key_hash', '=', keyHash),
)

/** Keeps the answer of the write that has claimed this key. */
export async function storeAnswer(trx: Transaction<DB>, { keyHash }: KeyedWrite, answer: string): Promise<void> {
  await trx.executeQuery(answerStatement({ keyHash, answer }))
}

/**
 * Removes at most `batchSize` keys that nobody may repeat any more, and returns how many were found. By their ids: a range
 * would lock the gap in which new ones are added.
 */
export async function removeExpiredKeys(db: Kysely<DB>, batchSize: number): Promise<number> {
  const expired = await db
    .selectFrom('idempotency_key')
    .select('key_hash')
    .where(isExpired)
    .orderBy('created_at')
    .limit(batchSize)
    .execute()
  if (expired.length === 0) return 0
  await db
    .deleteFrom('idempotency_key')
    .where(
      'key_hash',
      'in',
      expired.map(({ key_hash }) => key_hash),
    )
    .where(isExpired) // one may have been claimed anew meanwhile
    .execute()
  return expired.length
}
