import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'vitest'
import { UsageError } from '../../bench/option-values.ts'
import { parseOptions } from '../../bench/options.ts'

const project = resolve(import.meta.dirname, '../..')

function problemsOf(...args: string[]): readonly string[] {
  try {
    parseOptions(args)
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error))
    return error.message.split('\n').slice(0, -1)
  }
  return []
}

test('without arguments it compares everything on a database of its own', () => {
  assert.deepEqual(parseOptions([]), {
    what: 'compare',
    isQuick: false,
    publishes: false,
    hasPeers: false,
    database: { name: 'local' },
    concurrency: [1, 4, 8, 16, 64],
    workloads: ['seed', 'city', 'cities', 'create'],
    seconds: 1,
    rounds: 20,
    roundTripMs: 0,
    requests: 5_000_000,
  })
})

test('lists and numbers are taken as given, each value once', () => {
  const options = parseOptions([
    ...['--modes', 'stock,service', '--concurrency', '16,64,16', '--workloads', 'city'],
    ...['--seconds', '3', '--rounds', '7', '--generator', 'autocannon', '--database', 'mysql://root:pw@127.0.0.1:3307'],
  ])
  assert.deepEqual(options?.modes, ['stock', 'service'])
  assert.deepEqual(options?.concurrency, [16, 64])
  assert.deepEqual(options?.workloads, ['city'])
  assert.equal(options?.seconds, 3)
  assert.equal(options?.rounds, 7)
  assert.equal(options?.generator, 'autocannon')
  assert.deepEqual(options?.database, {
    name: 'server',
    server: { host: '127.0.0.1', port: 3307, user: 'root', password: 'pw' },
  })
})

test('--help wins over everything else', () => {
  assert.equal(parseOptions(['--help', '--rounds', 'many']), undefined)
})

test('every wrong value is told at once', () => {
  assert.deepEqual(
    problemsOf('--rounds', '0', '--seconds', '61', '--concurrency', '1,x,4097', '--workloads', 'seed,all'),
    [
      "--concurrency: must be an integer from 1 to 4096; got 'x'",
      "--concurrency: must be an integer from 1 to 4096; got '4097'",
      "--workloads: must be of seed, city, cities, create; got 'all'",
      "--seconds: must be an integer from 1 to 60; got '61'",
      "--rounds: must be an integer from 1 to 1000; got '0'",
    ],
  )
})

test('a password in a wrong --database is not repeated', () => {
  const expected = ['--database: must be local, docker or mysql://user:password@host:port']
  assert.deepEqual(problemsOf('--database', 'postgres://root:secret@db'), expected)
  assert.deepEqual(problemsOf('--database', 'auto'), expected)
})

test('rough figures are never published', () => {
  assert.deepEqual(problemsOf('--quick', '--publish'), ['--publish: not with --quick, whose figures are rough'])
})

test('what only the comparison knows is refused with --scale, not passed over', () => {
  assert.deepEqual(problemsOf('--scale', '--peers', '--modes', 'stock'), [
    '--peers: not with --scale, which chooses for itself',
    '--modes: not with --scale, which chooses for itself',
  ])
  assert.equal(parseOptions(['--scale'])?.rounds, 5)
})

test('an endurance run takes requests instead of rounds, and nothing of the comparison', () => {
  assert.deepEqual(problemsOf('--endurance', '--scale'), ['--endurance: not with --scale'])
  assert.deepEqual(problemsOf('--endurance', '--workloads', 'city', '--rounds', '3'), [
    '--workloads: not with --endurance, which chooses for itself',
    '--rounds: not with --endurance, which has --requests',
  ])
  assert.deepEqual(problemsOf('--requests', '2000'), ['--requests: only with --endurance'])
  assert.deepEqual(problemsOf('--endurance', '--requests', '999'), [
    "--requests: must be an integer from 1000 to 999999999; got '999'",
  ])
  const options = parseOptions(['--endurance', '--requests', '2000'])
  assert.equal(options?.what, 'endurance')
  assert.equal(options?.requests, 2000)
})

test('a run with pauses takes a link and another checkout, and nothing else of the comparison', () => {
  const options = parseOptions(['--pauses', '--round-trip-ms', '20', '--seconds', '2', '--against', project])
  assert.equal(options?.what, 'pauses')
  assert.equal(options?.roundTripMs, 20)
  assert.equal(options?.seconds, 2)
  assert.equal(options?.rounds, 30)
  assert.deepEqual(options?.against, { folder: project })
  assert.deepEqual(problemsOf('--pauses', '--endurance', '--modes', 'stock', '--round-trip-ms', '1001', '--publish'), [
    '--publish: not with --pauses',
    '--endurance: not with --pauses',
    '--modes: not with --pauses, which chooses for itself',
    "--round-trip-ms: must be an integer from 0 to 1000; got '1001'",
  ])
  assert.deepEqual(problemsOf('--round-trip-ms', '20'), ['--round-trip-ms: only with --pauses'])
})

test('another checkout is compared, but neither published nor met by runs that choose for themselves', () => {
  assert.deepEqual(parseOptions(['--against', project])?.against, { folder: project })
  assert.deepEqual(problemsOf('--against', project, '--publish'), ['--publish: not with --against'])
  assert.deepEqual(problemsOf('--against', project, '--scale'), ['--against: not with --scale'])
  assert.deepEqual(problemsOf('--against', project, '--endurance'), ['--against: not with --endurance'])
})

test('options that there are not, and stray words, are refused', () => {
  assert.match(problemsOf('--round', '3').join(), /--round/)
  assert.match(problemsOf('fast').join(), /fast/)
})
