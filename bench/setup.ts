import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { basename } from 'node:path'
import { promisify } from 'node:util'

/** Where and with what a run was made: without it a figure says nothing. */
export interface Setup {
  /** ISO 8601. */
  readonly at: string
  /** Of the checkout, with a plus when files were changed since; absent outside of git. */
  readonly commit?: string
  readonly processor: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  readonly node: string
  readonly database: string
  readonly generator: string
  /** By package name. */
  readonly libraries: Readonly<Record<string, string>>
}

const libraries = ['hono', '@hono/node-server', 'kysely', 'mysql2'] as const

export async function describeSetup(parts: Pick<Setup, 'database' | 'generator' | 'at'>): Promise<Setup> {
  const commit = await readCommit(import.meta.dirname)
  return {
    ...parts,
    ...(commit !== undefined && { commit }),
    processor: cpus()[0]?.model ?? 'unknown processor',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    libraries: Object.fromEntries(libraries.map((name) => [name, versionOf(name)])),
  }
}

/** For the caption of a chart or a table. */
export function captionOf(setup: Setup): string {
  const { processor, cores, memoryGb, system, node, database, generator, at, commit } = setup
  const versions = Object.entries(setup.libraries).map(([name, version]) => `${name} ${version}`)
  const source = commit === undefined ? '' : `, commit ${commit}`
  return [
    `${database}; Node ${node}; ${versions.join(', ')}; load by ${generator}.`,
    `${cores} x ${processor}, ${memoryGb} GB, ${system}: load generator, service and database share these cores.`,
    `${at.slice(0, 10)}${source}.`,
  ].join(' ')
}

/** Its commit, with a plus when files were changed since; undefined without git. */
async function readCommit(folder: string): Promise<string | undefined> {
  const run = promisify(execFile)
  try {
    const { stdout: head } = await run('git', ['rev-parse', '--short', 'HEAD'], { cwd: folder })
    const { stdout: changes } = await run('git', ['status', '--porcelain'], { cwd: folder })
    return head.trim() + (changes.trim() === '' ? '' : '+')
  } catch {
    // No git here, or no checkout.
    return undefined
  }
}

/** How tables tell a checkout from another. */
export async function describeCheckout(folder: string): Promise<string> {
  return (await readCommit(folder)) ?? basename(folder)
}

/** Read as a file: not every package lets its package.json be imported. */
function versionOf(name: string): string {
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}
