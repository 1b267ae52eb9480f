import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseAllDocuments } from 'yaml'

export const deployFolder = resolve(import.meta.dirname, '../../deploy')

/** One object of `deploy/`, as it stands there: nothing of its shape is checked yet. */
export interface Manifest {
  /** From `deploy/` on. */
  readonly file: string
  readonly object: { readonly apiVersion: string; readonly kind: string; readonly [field: string]: unknown }
}

/** All YAML files of `deploy/`. @throws Error for one that is no YAML or has a key twice */
export function readManifests(): readonly Manifest[] {
  return readdirSync(deployFolder, { recursive: true, withFileTypes: true })
    .filter(({ name }) => name.endsWith('.yaml'))
    .flatMap(({ parentPath, name }) => documentsOf(join(parentPath, name)))
}

function documentsOf(path: string): Manifest[] {
  return parseAllDocuments(readFileSync(path, 'utf8')).map((document) => {
    for (const error of document.errors) throw error
    return { file: relative(deployFolder, path), object: document.toJS() as Manifest['object'] }
  })
}

/**
 * The only object of a kind. Untyped: `manifests.test.ts` checks it against the types of kubernetes-models, which cannot
 * be imported, since they do not pass `exactOptionalPropertyTypes`.
 */
// biome-ignore lint/suspicious/noExplicitAny: as above
export function manifestOf(kind: string): any {
  const found = readManifests().filter(({ object }) => object.kind === kind)
  if (found.length !== 1) throw new Error(`deploy/ has ${found.length} objects of kind ${kind}`)
  return found[0]?.object
}

/** A probe over HTTP. */
export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
  readonly periodSeconds: number
  readonly timeoutSeconds: number
  readonly failureThreshold: number
}

/** What a pod of the Deployment or the Job runs. */
export interface Workload {
  readonly pod: {
    readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number }
    readonly terminationGracePeriodSeconds?: number
    readonly volumes: readonly { readonly name: string; readonly secret: { readonly secretName: string } }[]
  }
  /** The only one. */
  readonly container: {
    readonly image: string
    readonly command?: readonly string[]
    readonly lifecycle?: object
    readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[]
    readonly startupProbe: Probe
    readonly livenessProbe: Probe
    readonly readinessProbe: Probe
  }
  readonly environment: Readonly<Record<string, string>>
}

export function readServer(): Workload {
  return workloadOf(manifestOf('Deployment').spec.template.spec)
}

export function readMigration(): Workload {
  return workloadOf(manifestOf('Job').spec.template.spec)
}

interface PodSpec {
  readonly containers: readonly [Workload['container'] & { readonly env: readonly { name: string; value: string }[] }]
}

function workloadOf(pod: Workload['pod'] & PodSpec): Workload {
  const [container, ...others] = pod.containers
  if (others.length > 0) throw new Error('a pod of deploy/ has one container')
  return { pod, container, environment: Object.fromEntries(container.env.map(({ name, value }) => [name, value])) }
}
