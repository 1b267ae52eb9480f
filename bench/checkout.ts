import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** A checkout of this project, ready to run. */
export interface Checkout {
  /** Absolute. */
  readonly folder: string
}

/** What is run of it. */
const programs = ['src/server.ts', 'bench/pool-server.ts'] as const
const project = resolve(import.meta.dirname, '..')

/** The checkout that `--against` names; undefined, and a line in `problems` that says why, when it cannot be run. */
export function readCheckout(path: string, problems: string[]): Checkout | undefined {
  const folder = resolve(path)
  const reason = path === '' ? 'no path' : findFault(folder)
  if (reason === undefined) return { folder }
  problems.push(`--against: must be another checkout of this project with its node_modules; '${path}': ${reason}`)
  return undefined
}

function findFault(folder: string): string | undefined {
  if (!existsSync(folder)) return 'there is no such folder'
  const [own, other] = [readManifest(project), readManifest(folder)]
  if (other === undefined) return 'there is no package.json that can be read'
  if (other.name !== own?.name) return `it is a checkout of ${other.name ?? 'something without a name'}`
  const missing = programs.find((program) => !existsSync(join(folder, program)))
  if (missing !== undefined) return `there is no ${missing}`
  // Node would take the packages of a folder around it without a word.
  const uninstalled = Object.keys(other.dependencies ?? {}).find(
    (name) => !existsSync(join(folder, 'node_modules', name, 'package.json')),
  )
  return uninstalled === undefined ? undefined : `${uninstalled} is not in its node_modules (npm ci)`
}

interface Manifest {
  readonly name?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

function readManifest(folder: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  } catch {
    return undefined
  }
}
