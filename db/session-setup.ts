import { PoolOptionsError } from './pool/options.ts'
import {
  type PerFlavour,
  type SessionOptions,
  type SessionValue,
  type SessionVariable,
  type SessionVariableName,
  sessionVariables,
} from './session-variables.ts'

/**
 * What every session has, whatever its user chose: each statement is a transaction of its own and COMMIT begins no other
 * one, which P7 to P10 build on; texts go and come as mysql2 writes them. The last two are what mysql2's login asks for, and
 * a reset would lose.
 */
const ALWAYS: readonly string[] = [
  'autocommit = 1',
  'completion_type = 0',
  'NAMES utf8mb4 COLLATE utf8mb4_general_ci',
  "sql_mode = concat_ws(',', nullif(@@sql_mode, ''), 'IGNORE_SPACE')",
]

/** The first versions that the project is for: names that each has are not hidden from other servers. */
const ALL = { mariadb: 101_100, mysql: 50_700 } as const

/**
 * The one statement that sets a session up, and again after each reset. One that does for both servers, since who answers is
 * not known before: names that only one has, or has since some version, are in comments that only that one reads.
 * @throws PoolOptionsError
 */
export function toSessionSetup(options: SessionOptions = {}): string {
  const faults = Object.entries(options).flatMap(([name, value]) => faultsOf(name, value))
  if (faults.length > 0) throw new PoolOptionsError(faults)
  const names = Object.keys(sessionVariables) as SessionVariableName[]
  const chosen = names.flatMap((name) => {
    const value = options[name]
    return value === undefined ? [] : toAssignments(name, value)
  })
  return `SET ${ALWAYS.join(', ')}${chosen.join('')}`
}

function toAssignments(name: SessionVariableName, value: SessionValue | PerFlavour): string[] {
  const { since = {} }: SessionVariable = sessionVariables[name]
  if (typeof value !== 'object' && !since.mariadb && !since.mysql) return [`, ${name} = ${toLiteral(value)}`]
  const assigned = (flavour: keyof PerFlavour) =>
    `, ${name} = ${toLiteral(typeof value === 'object' ? value[flavour] : value)}`
  const { mariadb = ALL.mariadb, mysql = ALL.mysql } = since
  return [
    ...(mariadb === 'none' ? [] : [` /*M!${mariadb} ${assigned('mariadb')} */`]),
    ...(mysql === 'none' ? [] : [` /*!${mysql} ${assigned('mysql')} */`]),
  ]
}

function toLiteral(value: SessionValue): string {
  return typeof value !== 'string' || value === 'DEFAULT' ? String(value) : `'${value}'`
}

function faultsOf(name: string, value: unknown): string[] {
  if (value === undefined) return []
  if (!Object.hasOwn(sessionVariables, name)) return [`session: ${name} is not a variable that can be chosen here`]
  const values = typeof value === 'object' && value !== null ? Object.values(value) : [value]
  return values
    .filter((each) => !isValue(each))
    .map((each) => `session: ${name} must be a plain text or a number, got ${each}`)
}

/** Nothing that could end a literal. */
function isValue(value: unknown): boolean {
  if (typeof value === 'string') return /^[\w +\-:.,=/]*$/.test(value)
  return typeof value === 'bigint' || Number.isFinite(value)
}
