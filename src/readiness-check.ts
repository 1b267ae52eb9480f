import type { SchemaState } from '../db/index.ts'
import type { AppDeps } from './app.ts'
import { type Check, judgeReadiness } from './readiness.ts'

/** Longest wait for the schema's answer, in ms: a kubelet waits 1 s. */
const SCHEMA_TIMEOUT_MS = 500
/** How long a schema that has all is taken to have it still, in ms. */
const SCHEMA_SHARED_MS = 2000

/** Finds out whether traffic should come here; within 500 ms, and never rejects. */
export type CheckReadiness = () => Promise<readonly Check[]>

export function createReadinessCheck(
  deps: Pick<AppDeps, 'database' | 'schema' | 'state' | 'readyzDatabase' | 'clock'>,
): CheckReadiness {
  const { database, schema, state, readyzDatabase: databasePolicy, clock } = deps
  let known: SchemaState | undefined
  let askedAtMs = Number.NEGATIVE_INFINITY

  async function schemaState(): Promise<SchemaState | undefined> {
    if (known && clock.now() - askedAtMs < SCHEMA_SHARED_MS) return known
    askedAtMs = clock.now()
    const scope = database.createScope(SCHEMA_TIMEOUT_MS)
    try {
      const found = await database.runInScope(scope, () => schema.check())
      known = found.name === 'current' ? found : undefined
      return found
    } catch {
      // The health check beside this one says what is wrong with the database; a pool in great demand is no other schema.
      return known
    } finally {
      scope.end()
    }
  }

  return async () => {
    const [health, schema] = await Promise.all([database.health(), schemaState()])
    return judgeReadiness({ state: state(), health, schema, databasePolicy })
  }
}
