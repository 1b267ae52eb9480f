import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished, test } from 'vitest'
import { localFolder } from '../support/local-folder.ts'
import { type Manifest, readManifests } from '../support/manifests.ts'

/** Where kubernetes-models has a kind. */
const folders: Readonly<Record<string, string>> = {
  Deployment: 'kubernetes-models/apps/v1',
  Job: 'kubernetes-models/batch/v1',
  NetworkPolicy: 'kubernetes-models/networking.k8s.io/v1',
  PodDisruptionBudget: 'kubernetes-models/policy/v1',
  Service: 'kubernetes-models/v1',
  PrometheusRule: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
  ServiceMonitor: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
}

const manifests = readManifests().filter(({ object }) => object.kind !== 'Kustomization')

function moduleNameOf({ file, object: { kind } }: Manifest): string {
  const folder = folders[kind]
  if (folder === undefined) throw new Error(`${file}: nothing is known of kind ${kind}`)
  return `${folder}/${kind}`
}

/** The object as TypeScript: its type knows every field there is, apiVersion and kind included. */
function moduleOf(manifest: Manifest): string {
  const type = `I${manifest.object.kind}`
  const object = JSON.stringify(manifest.object, null, 1)
  return `import type { ${type} } from '${moduleNameOf(manifest)}'\n(${object}) satisfies ${type}\n`
}

/** What tsc says, a line each, without positions. */
async function compile(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  await mkdir(localFolder, { recursive: true })
  const folder = await mkdtemp(join(localFolder, 'manifests-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const paths = Object.keys(files).map((name) => join(folder, `${name}.ts`))
  for (const path of paths) await writeFile(path, files[basename(path, '.ts')] ?? '')
  const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc')
  const options = [
    '--noEmit',
    '--ignoreConfig',
    '--skipLibCheck',
    '--strict',
    '--module',
    'nodenext',
    '--types',
    'node',
  ]
  const run = promisify(execFile)(process.execPath, [tsc, ...options, ...paths])
  const { stdout } = await run.catch((error: { stdout: string }) => error)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace(/^.*manifests-[^/]*\/(.*?)\.ts\(.*?\)/, '$1'))
}

test('every manifest has the types and the required fields of its kind', async () => {
  assert.ok(manifests.length > 0)
  for (const manifest of manifests) {
    // By a name that tsc does not follow: the package's own types do not pass `exactOptionalPropertyTypes`.
    const { [manifest.object.kind]: Model } = await import(moduleNameOf(manifest))
    assert.doesNotThrow(() => new Model(manifest.object).validate(), manifest.file)
  }
})

test('no manifest has a field that its kind does not know', async () => {
  const modules = Object.fromEntries(
    manifests.map((manifest) => [basename(manifest.file, '.yaml'), moduleOf(manifest)]),
  )
  const deployment = modules['deployment'] ?? ''
  const misspelt = deployment.replace('"readinessProbe"', '"redinessProbe"')
  // One that is wrong goes along, so that silence means something.
  assert.deepEqual(await compile({ ...modules, misspelt }), [
    `misspelt: error TS2353: Object literal may only specify known properties, and '"redinessProbe"' does not exist in type 'IContainer'.`,
  ])
})
