import type { AppDeps } from './app.ts'
import { type Check, judgeReadiness, type SchemaState } from './readiness.ts'

/** Longest wait for the schema's answer, in ms: a kubelet waits 1 s. */
const SCHEMA_TIMEOUT_MS = 500

/** Finds out whether traffic should come here; within 500 ms, and never rejects. */
export type CheckReadiness = () => Promise<readonly Check[]>

export function createReadinessCheck(
  deps: Pick<AppDeps, 'database' | 'schema' | 'state' | 'readyzDatabase'>,
): CheckReadiness {
  const { database, schema, state, readyzDatabase: databasePolicy } = deps
  // A schema that was new enough once stays so; until then there is no traffic whose connections this could take.
  let isCurrent = false

  async function schemaState(): Promise<SchemaState> {
    if (isCurrent) return 'current'
    const scope = database.createScope(SCHEMA_TIMEOUT_MS)
    try {
      isCurrent = await database.runInScope(scope, schema.isCurrent)
      return isCurrent ? 'current' : 'behind'
    } catch {
      return 'unknown' // The health check beside this one says what is wrong with the database.
    } finally {
      scope.end()
    }
  }

  return async () => {
    const [health, schema] = await Promise.all([database.health(), schemaState()])
    return judgeReadiness({ state: state(), health, schema, databasePolicy })
  }
}
