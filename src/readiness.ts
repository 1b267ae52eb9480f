import type { HealthReport, SchemaState } from '../db/index.ts'
import type { LifecycleState } from './lifecycle.ts'

/** One line of a readiness answer. `reason` is public: a code or a command, never a driver's text. */
export interface Check {
  readonly name: string
  readonly isOk: boolean
  readonly reason?: string
}

/** Whether a database that does not answer takes this replica, and with it every other, out of traffic. */
export type DatabasePolicy = 'required' | 'off'

export interface Readiness {
  readonly state: LifecycleState
  readonly health: HealthReport
  /** Undefined when the database did not say in time. */
  readonly schema: SchemaState | undefined
  readonly databasePolicy: DatabasePolicy
}

/** Whether traffic should come here. Pure. */
export function judgeReadiness({ state, health, schema, databasePolicy }: Readiness): readonly Check[] {
  const isRequired = databasePolicy === 'required'
  return [
    { name: 'started', isOk: state.name !== 'starting' },
    { name: 'not-draining', isOk: state.name === 'ready' || state.name === 'starting' },
    ...(isRequired ? [judgeDatabase(health)] : []),
    // With `off` a database that says nothing is no reason, but one that says what is missing is.
    ...(isRequired || schema ? [judgeSchema(schema)] : []),
  ]
}

function judgeDatabase({ status, reason }: HealthReport): Check {
  if (status !== 'fail') return { name: 'database', isOk: true }
  return { name: 'database', isOk: false, ...(reason !== undefined && { reason }) }
}

export function judgeSchema(schema: SchemaState | undefined): Check {
  if (schema?.name === 'current') return { name: 'schema', isOk: true }
  return { name: 'schema', isOk: false, reason: schema ? reasonOf(schema) : 'unknown' }
}

function reasonOf(schema: Exclude<SchemaState, { readonly name: 'current' }>): string {
  if (schema.name === 'behind') return 'run `npm run migrate`'
  const { lacks, table } = schema
  switch (lacks) {
    case 'table':
      return table ? `there is no table ${table}` : 'a table is missing'
    case 'column':
      return table ? `a column of ${table} is missing` : 'a column is missing'
    case 'right':
      return `the database account may not SELECT from ${table ?? 'a table'}`
  }
}

/** Like kube-apiserver's: the whole list when asked for or when something failed, else one word. */
export function readinessText(checks: readonly Check[], isVerbose: boolean): string {
  const isReady = checks.every(({ isOk }) => isOk)
  if (isReady && !isVerbose) return 'ok'
  const lines = checks.map(({ name, isOk, reason }) =>
    isOk ? `[+]${name} ok` : `[-]${name} failed${reason ? `: ${reason}` : ''}`,
  )
  return [...lines, `readyz check ${isReady ? 'passed' : 'failed'}`].join('\n')
}
