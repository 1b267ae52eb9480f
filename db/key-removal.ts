import type { Kysely } from 'kysely'
import type { Clock } from './clock.ts'
import { jittered, type Random } from './pool/backoff.ts'
import { removeExpiredKeys } from './queries/idempotency-keys.ts'
import type { DB } from './schema.ts'
import { Scope } from './scope.ts'

/** How often expired idempotency keys are looked for, give or take half, so that replicas take turns. */
const INTERVAL_MS = 60_000
/** Keys removed by one statement: its locks are gone before anybody notices. */
const BATCH_SIZE = 500
/** Longest time of one removal, in ms: it takes a connection from those who wait for an answer. */
const REMOVAL_TIMEOUT_MS = 5000

export interface KeyRemovalDependencies {
  readonly kysely: Kysely<DB>
  readonly clock: Clock
  readonly random: Random
  /** Runs `task`, every statement of it in `scope`. */
  readonly runInScope: <T>(scope: Scope, task: () => T) => T
}

/** Removes expired idempotency keys, in small batches, now and then. Returns what stops it. */
export function startKeyRemoval({ kysely, clock, random, runInScope }: KeyRemovalDependencies): () => void {
  let isStopped = false
  let cancel = scheduleNext()

  function scheduleNext(): () => void {
    return clock.schedule(jittered(INTERVAL_MS, 0.5, random), () => void removeAll(), { isUpkeep: true })
  }

  async function removeAll(): Promise<void> {
    const scope = new Scope(clock, REMOVAL_TIMEOUT_MS)
    const remove = () => runInScope(scope, () => removeExpiredKeys(kysely, BATCH_SIZE))
    try {
      while (!isStopped && (await remove()) === BATCH_SIZE);
    } catch {
      // The database is away or not migrated yet: they expire no less for being there, and the next time comes.
    }
    scope.end()
    if (!isStopped) cancel = scheduleNext()
  }

  return () => {
    isStopped = true
    cancel()
  }
}
