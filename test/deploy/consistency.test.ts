import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../src/config.ts'
import { type Setting, settings } from '../../src/settings.ts'
import { deployFolder, manifestOf, readMigration, readServer, type Workload } from '../support/manifests.ts'

const project = resolve(deployFolder, '..')
const read = (path: string): string => readFileSync(join(project, path), 'utf8')

const server = readServer()
const migration = readMigration()
const deployment = manifestOf('Deployment').spec
const service = manifestOf('Service').spec
const containerPorts = new Map(server.container.ports?.map(({ name, containerPort }) => [name, containerPort]))

/** What `src/settings.ts` does not know of an environment. */
function unknownSettings(names: readonly string[]): readonly string[] {
  const known = Object.entries(settings).flatMap(([name, { hasFile }]: [string, Setting<unknown>]) =>
    hasFile ? [name, `${name}_FILE`] : [name],
  )
  return names.filter((name) => !known.includes(name))
}

/** The Secrets' keys that a pod's settings name: `still-here-database/password`. */
function secretKeys({ pod, container, environment }: Workload): readonly string[] {
  const paths = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'))
  return paths.map(([, path = '']) => {
    const mount = container.volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`))
    assert.ok(mount && mount.subPath === undefined, `${path} is in no folder that is mounted whole`)
    const volume = pod.volumes.find(({ name }) => name === mount.name)
    return `${volume?.secret.secretName}/${path.slice(mount.mountPath.length + 1)}`
  })
}

test('the pods and the compose file set what the service knows, and nothing else', () => {
  const composed = parse(read('compose.yaml'), { merge: true }).services
  assert.deepEqual(unknownSettings(Object.keys(server.environment)), ['NODE_OPTIONS'])
  assert.deepEqual(unknownSettings(Object.keys(migration.environment)), [])
  assert.deepEqual(unknownSettings(Object.keys(composed.service.environment)), [])
  assert.deepEqual(unknownSettings(Object.keys(composed.migrate.environment)), [])
})

test('the service accepts the settings of both pods', () => {
  for (const { environment } of [server, migration]) {
    const { database } = parseConfig({ ...environment, NODE_ENV: 'production' }, () => 'secret')
    assert.equal(database.kind, 'configured')
  }
})

test('each secret is a file of a whole folder, and the manual says how it is made', () => {
  const manual = read('docs/operations.md')
  const keys = [...secretKeys(server), ...secretKeys(migration)]
  assert.deepEqual(keys, [
    'still-here-database/username',
    'still-here-database/password',
    'still-here-write-tokens/tokens',
    'still-here-migration/username',
    'still-here-migration/password',
  ])
  for (const [secret, key] of keys.map((each) => each.split('/'))) {
    assert.match(manual, new RegExp(`create secret generic ${secret} .*--from-literal=${key}=`))
  }
})

test('a pod has the drain delay, 20 s, 5 s and 5 s to end', () => {
  assert.equal(server.environment['DRAIN_DELAY_MS'], '5000')
  assert.equal(server.pod.terminationGracePeriodSeconds, 5 + 20 + 5 + 5)
  assert.equal(server.container.lifecycle, undefined)
})

test('ports have one number and one name everywhere', () => {
  const image = read('Dockerfile')
  assert.deepEqual(
    [...containerPorts],
    [
      ['http', Number(settings.PORT.fallback)],
      ['metrics', Number(server.environment['METRICS_PORT'])],
    ],
  )
  assert.match(image, new RegExp(`^EXPOSE ${containerPorts.get('http')}$`, 'm'))
  for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
    assert.equal(server.container[name].httpGet.port, 'http')
  }
  assert.deepEqual(
    service.ports?.map(({ name, targetPort }: Record<string, unknown>) => [name, targetPort]),
    [
      ['http', 'http'],
      ['metrics', 'metrics'],
    ],
  )
  const { endpoints } = manifestOf('ServiceMonitor').spec
  assert.deepEqual(
    endpoints.map(({ port, path }: Record<string, unknown>) => [port, path]),
    [['metrics', '/metrics']],
  )
  const { ingress } = manifestOf('NetworkPolicy').spec ?? {}
  assert.deepEqual(
    ingress?.flatMap(({ ports = [] }) => ports.map(({ port }) => port)),
    ['http', 'metrics'],
  )
})

test('what selects pods selects the servers, and not the migration', () => {
  const labels = deployment.template.metadata?.labels
  assert.deepEqual(service.selector, labels)
  assert.deepEqual(deployment.selector.matchLabels, labels)
  assert.deepEqual(manifestOf('PodDisruptionBudget').spec?.selector?.matchLabels, labels)
  assert.deepEqual(deployment.template.spec.topologySpreadConstraints[0].labelSelector.matchLabels, labels)
  assert.notDeepEqual(manifestOf('Job').spec?.template.metadata?.labels, labels)
})

test('all replicas of a rollout and the migration find room in max_connections', () => {
  const { replicas = 0, strategy } = deployment
  const pods = replicas + Number(strategy?.rollingUpdate?.maxSurge)
  const needed = pods * (Number(server.environment['POOL_SIZE']) + 2) + 1 + 5
  assert.ok(needed <= 151, `${needed} is more than both servers have by default`)
})

test('both pods run the image as its own user, from files that it has', () => {
  const image = read('Dockerfile')
  for (const { pod, container } of [server, migration]) {
    const { runAsUser, runAsGroup } = pod.securityContext
    // The image's compile cache is this user's.
    assert.match(image, new RegExp(`^USER ${runAsUser}:${runAsGroup}$`, 'm'))
    assert.equal(container.image, 'still-here')
  }
  assert.match(image, /^CMD \["node", "src\/server\.ts"\]$/m)
  assert.deepEqual(migration.container.command, ['node', 'src/migrate.ts'])
  assert.ok(existsSync(join(project, 'src/migrate.ts')))
})

test('the kustomizations list every file', () => {
  for (const folder of [deployFolder, join(deployFolder, 'monitoring')]) {
    const { resources, configMapGenerator = [] } = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8'))
    const generated = configMapGenerator.flatMap(({ files }: { files: string[] }) =>
      files.map((file) => file.replace(/^.*=/, '')),
    )
    const there = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
    assert.deepEqual([...resources, ...generated, 'kustomization.yaml'].toSorted(), there.toSorted())
  }
})
