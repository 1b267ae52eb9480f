import type { Kysely } from 'kysely'
import type { Clock } from './clock.ts'
import { jittered, type Random } from './pool/backoff.ts'
import { removeExpiredKeys } from './queries/idempotency-keys.ts'
import type { DB } from './schema.ts'

/** How often expired idempotency keys are looked for, give or take half, so that replicas take turns. */
const INTERVAL_MS = 60_000
/** Keys removed by one statement: its locks are gone before anybody notices. */
const BATCH_SIZE = 500

export interface KeyRemovalDependencies {
  readonly kysely: Kysely<DB>
  readonly clock: Clock
  readonly random: Random
}

/** Removes expired idempotency keys, in small batches, now and then. Returns what stops it. */
export function startKeyRemoval({ kysely, clock, random }: KeyRemovalDependencies): () => void {
  let isStopped = false
  let cancel = scheduleNext()

  function scheduleNext(): () => void {
    return clock.schedule(jittered(INTERVAL_MS, 0.5, random), () => void removeAll(), { isUpkeep: true })
  }

  async function removeAll(): Promise<void> {
    try {
      while (!isStopped && (await removeExpiredKeys(kysely, BATCH_SIZE)) === BATCH_SIZE);
    } catch {
      // The database is away or not migrated yet: they expire no less for being there, and the next time comes.
    }
    if (!isStopped) cancel = scheduleNext()
  }

  return () => {
    isStopped = true
    cancel()
  }
}
