import { MysqlAdapter } from 'kysely'
import type { Clock } from './clock.ts'
import type { Random } from './pool/backoff.ts'
import type { PoolEvent } from './pool/stats.ts'
import type { Scope } from './scope.ts'

/** What replaying a transaction needs of the dialect. */
export interface ReplayDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly currentScope: () => Scope | undefined
  /** For callers without a scope: how long a refused transaction is tried again. */
  readonly acquireTimeoutMs: number
  readonly onEvent: (event: PoolEvent) => void
}

/** MySQL's adapter, which also carries to `inTransaction` what it needs: all that it is given is a Kysely instance. */
export class ResilientMysqlAdapter extends MysqlAdapter {
  readonly replay: ReplayDependencies

  constructor(replay: ReplayDependencies) {
    super()
    this.replay = replay
  }
}
