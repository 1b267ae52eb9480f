import assert from 'node:assert/strict'
import { test } from 'vitest'
import { resolvePoolOptions } from '../../db/pool/options.ts'
import { ConfigError, parseConfig } from '../../src/config.ts'
import { createAuthority } from '../support/certificates.ts'

const noFiles = (path: string): string => {
  throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' })
}

function problemsOf(env: Record<string, string>, readFile = noFiles) {
  try {
    parseConfig(env, readFile)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.problems
  }
  return assert.fail('the settings were accepted')
}

function connectionOf(env: Record<string, string>, readFile = noFiles) {
  const { database } = parseConfig(env, readFile)
  assert.equal(database.kind, 'configured')
  return database.connection
}

test('has a default for everything but the database, which is then thrown away', () => {
  assert.deepEqual(parseConfig({}, noFiles), {
    host: '127.0.0.1',
    port: 3000,
    logLevel: 'info',
    requestTimeoutMs: 5000,
    pool: resolvePoolOptions(),
    arePrepared: true,
    waits: { rowLockSeconds: 1, tableLockSeconds: 5, statementMs: 0 },
    maxLookupBatch: 32,
    connectionStrategy: 'pooled',
    readyzDatabase: 'required',
    drainDelayMs: 0,
    stallLogMs: 5000,
    stallExitMs: 30_000,
    database: { kind: 'throwAway' },
  })
})

test('metrics have a port of their own, or none', () => {
  assert.equal(parseConfig({ METRICS_PORT: '9464' }, noFiles).metricsPort, 9464)
  assert.equal(parseConfig({ PORT: '0', METRICS_PORT: '0' }, noFiles).metricsPort, 0)
  assert.deepEqual(problemsOf({ PORT: '8080', METRICS_PORT: '8080' }), [
    { name: 'METRICS_PORT', accepted: 'another port than PORT, or unset', got: '8080' },
  ])
})

test('takes an empty text for an unset one: PORT= is not port 0', () => {
  assert.equal(parseConfig({ PORT: '', HOST: '', DATABASE_URL: '', DB_HOST: '' }, noFiles).port, 3000)
})

test('listens everywhere with a configured database, on loopback with a throw-away one, and where it is told', () => {
  const DATABASE_URL = 'mysql://u@h/n'
  assert.equal(parseConfig({ DATABASE_URL }, noFiles).host, '0.0.0.0')
  assert.equal(parseConfig({}, noFiles).host, '127.0.0.1')
  assert.equal(parseConfig({ HOST: '::1' }, noFiles).host, '::1')
})

test('takes both ends of a range and nothing beyond', () => {
  assert.equal(parseConfig({ REQUEST_TIMEOUT_MS: '100' }, noFiles).requestTimeoutMs, 100)
  assert.equal(parseConfig({ REQUEST_TIMEOUT_MS: '120000' }, noFiles).requestTimeoutMs, 120_000)
  for (const REQUEST_TIMEOUT_MS of ['99', '120001', '1e3', ' 500', '0x64', '-100', '500.5']) {
    assert.deepEqual(problemsOf({ REQUEST_TIMEOUT_MS }), [
      {
        name: 'REQUEST_TIMEOUT_MS',
        accepted: 'an integer from 100 to 120000',
        got: JSON.stringify(REQUEST_TIMEOUT_MS),
      },
    ])
  }
})

test('has a variable for each setting of the pool', () => {
  const { pool } = parseConfig(
    {
      POOL_SIZE: '8',
      POOL_MIN_IDLE: '2',
      POOL_MAX_WAITING: '100',
      POOL_ACQUIRE_TIMEOUT_MS: '1500',
      POOL_VALIDATE_AFTER_IDLE_MS: '700',
      POOL_VALIDATION_TIMEOUT_MS: '400',
      POOL_KEEPALIVE_MS: '9000',
      POOL_IDLE_TIMEOUT_MS: '60000',
      POOL_MAX_LIFETIME_MS: '90000',
      DB_CONNECT_TIMEOUT_MS: '3000',
      DB_HANDSHAKE_TIMEOUT_MS: '20000',
      DB_PASSWORD_TIMEOUT_MS: '2000',
      DB_RESET_TIMEOUT_MS: '800',
      LIVEZ_WEDGED_MS: '40000',
    },
    noFiles,
  )
  assert.deepEqual(pool, {
    size: 8,
    minIdle: 2,
    maxWaiting: 100,
    acquireTimeoutMs: 1500,
    validateAfterIdleMs: 700,
    validationTimeoutMs: 400,
    keepaliveMs: 9000,
    idleTimeoutMs: 60_000,
    maxLifetimeMs: 90_000,
    connectTimeoutMs: 3000,
    handshakeTimeoutMs: 20_000,
    passwordTimeoutMs: 2000,
    resetTimeoutMs: 800,
    wedgedAfterMs: 40_000,
  })
})

test('a connection is waited for as long as a request has, at least 5 s, unless it is set', () => {
  const waitOf = (env: Record<string, string>) => parseConfig(env, noFiles).pool.acquireTimeoutMs
  assert.equal(waitOf({ REQUEST_TIMEOUT_MS: '100' }), 5_000)
  assert.equal(waitOf({ REQUEST_TIMEOUT_MS: '15000' }), 15_000)
  assert.equal(waitOf({ REQUEST_TIMEOUT_MS: '120000' }), 60_000)
  assert.equal(waitOf({ REQUEST_TIMEOUT_MS: '15000', POOL_ACQUIRE_TIMEOUT_MS: '700' }), 700)
})

test('settings of the pool that contradict each other are named by their variables, together with what is wrong', () => {
  const env = { POOL_SIZE: '2', POOL_MIN_IDLE: '3', DB_HANDSHAKE_TIMEOUT_MS: '1000', POOL_KEEPALIVE_MS: 'x' }
  assert.deepEqual(problemsOf(env), [
    { name: 'POOL_KEEPALIVE_MS', accepted: 'an integer from 100 to 3600000', got: '"x"' },
    { name: 'POOL_MIN_IDLE', accepted: 'at most POOL_SIZE (2)', got: '3' },
    { name: 'DB_CONNECT_TIMEOUT_MS', accepted: 'at most DB_HANDSHAKE_TIMEOUT_MS (1000)', got: '2000' },
  ])
})

test('lists every bad variable at once', () => {
  const names = problemsOf({ PORT: 'x', POOL_SIZE: '0', LOG_LEVEL: 'loud', DB_TLS: 'maybe', DB_HOST: 'h' }).map(
    ({ name }) => name,
  )
  assert.deepEqual(names.toSorted(), ['DB_NAME', 'DB_TLS', 'DB_USER', 'LOG_LEVEL', 'POOL_SIZE', 'PORT'])
})

test('reads a DATABASE_URL, percent-decoded, with 3306 as the port', async () => {
  const { password, ...connection } = connectionOf({ DATABASE_URL: 'mysql://us%40er:p%3A%2Fw@[::1]/na%20me' })
  assert.deepEqual(connection, { host: '::1', port: 3306, user: 'us@er', database: 'na me' })
  assert.equal(await password(), 'p:/w')
})

test('refuses other URLs without saying what they were', () => {
  const urls = ['postgres://u:topsecret@h/n', 'mysql://u:topsecret@h', 'mysql://u:topsecret@h/n?ssl=true', 'topsecret']
  for (const DATABASE_URL of [
    ...urls,
    'mysql://u:topsecret%zz@h/n',
    'mysql://:topsecret@h/n',
    'mysql://u:topsecret@h/n/m',
  ]) {
    const problems = problemsOf({ DATABASE_URL })
    assert.deepEqual(
      problems.map(({ name }) => name),
      ['DATABASE_URL'],
    )
    assert.ok(!JSON.stringify(problems).includes('topsecret'), DATABASE_URL)
  }
})

test('reads the database in parts', async () => {
  const { password, ...connection } = connectionOf({
    DB_HOST: 'db.example',
    DB_PORT: '3307',
    DB_USER: 'u',
    DB_PASSWORD: 'p',
    DB_NAME: 'n',
  })
  assert.deepEqual(connection, { host: 'db.example', port: 3307, user: 'u', database: 'n' })
  assert.equal(await password(), 'p')
})

test('refuses a database given twice', () => {
  assert.deepEqual(problemsOf({ DATABASE_URL: 'mysql://u@h/n', DB_PASSWORD: 'p' }), [
    { name: 'DB_PASSWORD', accepted: 'unset when DATABASE_URL is set', got: 'both' },
  ])
})

test('refuses a variable and its file together', () => {
  const problems = problemsOf({ DB_HOST: 'h', DB_USER: 'u', DB_NAME: 'n', DB_PASSWORD: 'p', DB_PASSWORD_FILE: '/f' })
  assert.deepEqual(problems, [{ name: 'DB_PASSWORD', accepted: 'set alone, or DB_PASSWORD_FILE alone', got: 'both' }])
})

test('reads named files only, without one final newline', async () => {
  const files: Record<string, string> = { '/host': 'h\n', '/user': 'u\r\n', '/password': 'p\n\n', '/name': 'n' }
  const connection = connectionOf(
    {
      DB_HOST_FILE: '/host',
      DB_USER_FILE: '/user',
      DB_PASSWORD_FILE: '/password',
      DB_NAME_FILE: '/name',
      TF_CLI_CONFIG_FILE: '/not/ours',
    },
    (path) => files[path] ?? noFiles(path),
  )
  const { password, ...rest } = connection
  assert.deepEqual(rest, { host: 'h', port: 3306, user: 'u', database: 'n' })
  assert.equal(await password(), 'p\n')
})

test('reads the password file again each time: a secret is rotated by changing it', async () => {
  const files: Record<string, string> = { '/p': 'old\n', '/url': 'mysql://u:old@h/n' }
  const readFile = (path: string) => files[path] ?? noFiles(path)
  const byPart = connectionOf({ DB_HOST: 'h', DB_USER: 'u', DB_NAME: 'n', DB_PASSWORD_FILE: '/p' }, readFile)
  const byUrl = connectionOf({ DATABASE_URL_FILE: '/url' }, readFile)
  assert.deepEqual([await byPart.password(), await byUrl.password()], ['old', 'old'])
  files['/p'] = 'new\n'
  files['/url'] = 'mysql://u:new@h/n'
  assert.deepEqual([await byPart.password(), await byUrl.password()], ['new', 'new'])
})

test('reads the tokens that may write: none, some, or from a file', () => {
  const tokensOf = (env: Record<string, string>, readFile = noFiles) => parseConfig(env, readFile).writeTokens?.()
  assert.equal(tokensOf({}), undefined)
  assert.equal(tokensOf({ WRITE_TOKENS: '' }), undefined)
  assert.deepEqual(tokensOf({ WRITE_TOKENS: 'one' }), ['one'])
  assert.deepEqual(tokensOf({ WRITE_TOKENS: 'a-Z._~+/0==, two' }), ['a-Z._~+/0==', 'two'])
  assert.deepEqual(
    tokensOf({ WRITE_TOKENS_FILE: '/t' }, () => 'one,two\n'),
    ['one', 'two'],
  )
  assert.deepEqual(
    tokensOf({ WRITE_TOKENS_FILE: '/t' }, () => '\n'),
    [],
  )
})

test('refuses tokens that no header could carry, without saying what they were', () => {
  for (const WRITE_TOKENS of ['topsecret,', 'a,,topsecret', 'top secret', 'topsecret=x', 'topsecré', '"topsecret"']) {
    assert.deepEqual(problemsOf({ WRITE_TOKENS }), [
      {
        name: 'WRITE_TOKENS',
        accepted: 'tokens of letters, digits and `-._~+/=`, separated by commas',
        got: 'something else',
      },
    ])
  }
})

test('reads the file of the tokens again each time, and says when it cannot be used', () => {
  let text = 'old'
  const read = parseConfig({ WRITE_TOKENS_FILE: '/t' }, () => text).writeTokens
  assert.deepEqual(read?.(), ['old'])
  text = 'new,newer\n'
  assert.deepEqual(read?.(), ['new', 'newer'])
  text = 'top secret'
  assert.throws(() => read?.(), { message: /^WRITE_TOKENS_FILE must have tokens of(?!.*top secret)/ })
})

test('names the file that cannot be read', () => {
  assert.deepEqual(problemsOf({ DATABASE_URL_FILE: '/nowhere' }), [
    { name: 'DATABASE_URL_FILE', accepted: 'the path of a file that can be read', got: 'ENOENT for "/nowhere"' },
  ])
})

const DATABASE_URL = 'mysql://u@h/n'
const authority = createAuthority('an authority')
const client = authority.issue({ commonName: 'client' })
const pemFiles: Readonly<Record<string, string>> = { '/ca': authority.cert, '/c': client.cert, '/k': client.key }
const pem = (path: string) => pemFiles[path] ?? noFiles(path)

test('has no TLS unless asked, and as strict as asked', async () => {
  assert.equal(connectionOf({ DATABASE_URL }).tls, undefined)
  assert.equal(connectionOf({ DATABASE_URL, DB_TLS: 'off' }).tls, undefined)
  const strictness = { verifyCertificate: false, verifyIdentity: false }
  assert.deepEqual(connectionOf({ DATABASE_URL, DB_TLS: 'require' }).tls, strictness)
  assert.deepEqual(connectionOf({ DATABASE_URL, DB_TLS: 'verify-ca' }).tls, { ...strictness, verifyCertificate: true })
  const paths = { DB_TLS_CA_FILE: '/ca', DB_TLS_CERT_FILE: '/c', DB_TLS_KEY_FILE: '/k' }
  const { texts, ...strict } = connectionOf({ DATABASE_URL, DB_TLS: 'verify-full', ...paths }, pem).tls ?? {}
  assert.deepEqual(strict, { verifyCertificate: true, verifyIdentity: true })
  assert.deepEqual(await texts?.(), { ca: authority.cert, ...client })
})

test('reads the TLS files again each time: certificates are rotated by changing them', async () => {
  const files: Record<string, string> = { ...pemFiles }
  const { tls } = connectionOf(
    { DATABASE_URL, DB_TLS: 'verify-ca', DB_TLS_CA_FILE: '/ca' },
    (path) => files[path] ?? noFiles(path),
  )
  const next = createAuthority('the next one').cert
  files['/ca'] = next
  assert.equal((await tls?.texts?.())?.ca, next)
})

test('takes TLS from the URL, with files of its own, and refuses another opinion in DB_TLS', () => {
  const url = `${DATABASE_URL}?ssl-mode=VERIFY_CA`
  const env = { DATABASE_URL: url, DB_TLS_CA_FILE: '/ca' }
  assert.equal(connectionOf(env, pem).tls?.verifyCertificate, true)
  assert.equal(connectionOf({ ...env, DB_TLS: 'verify-ca' }, pem).tls?.verifyIdentity, false)
  for (const DB_TLS of ['off', 'verify-full']) {
    assert.deepEqual(problemsOf({ ...env, DB_TLS }, pem), [
      { name: 'DB_TLS', accepted: 'unset, or verify-ca as DATABASE_URL has it', got: JSON.stringify(DB_TLS) },
    ])
  }
})

test('takes a Unix socket instead of host and port, without TLS', async () => {
  const socket = { DB_SOCKET: '/run/mysqld.sock', DB_USER: 'u', DB_NAME: 'n' }
  const { password, ...connection } = connectionOf(socket)
  const expected = { host: 'localhost', port: 3306, user: 'u', database: 'n', socketPath: '/run/mysqld.sock' }
  assert.deepEqual(connection, expected)
  assert.equal(await password(), '')
  assert.equal(connectionOf({ DATABASE_URL: `${DATABASE_URL}?socket=/s` }).socketPath, '/s')
  const namesOf = (env: Record<string, string>) => problemsOf(env).map(({ name }) => name)
  assert.deepEqual(namesOf({ ...socket, DB_HOST: 'h', DB_PORT: '1' }), ['DB_HOST', 'DB_PORT'])
  assert.deepEqual(namesOf({ ...socket, DB_TLS: 'require' }), ['DB_TLS'])
  assert.deepEqual(namesOf({ DATABASE_URL: `${DATABASE_URL}?socket=/s&ssl-mode=REQUIRED` }), ['DB_TLS'])
  assert.deepEqual(namesOf({ DATABASE_URL, DB_SOCKET: '/s' }), ['DB_SOCKET'])
  assert.deepEqual(namesOf({ ...socket, DB_SOCKET: 'mysqld.sock' }), ['DB_SOCKET'])
})

test('a host has no port in it, unless it is an address of IPv6', () => {
  const login = { DB_USER: 'u', DB_NAME: 'n' }
  assert.deepEqual(problemsOf({ ...login, DB_HOST: 'db.example:3307' }), [
    { name: 'DB_HOST', accepted: 'a name or an IP address', got: '"db.example:3307"' },
  ])
  assert.equal(connectionOf({ ...login, DB_HOST: '::1' }).host, '::1')
})

test('refuses TLS files that hold something else, and says which', () => {
  const files: Record<string, string> = { '/ca': 'hello', '/c': client.cert, '/k': authority.issue({}).key }
  const paths = { DB_TLS_CA_FILE: '/ca', DB_TLS_CERT_FILE: '/c', DB_TLS_KEY_FILE: '/k' }
  const problems = problemsOf({ DATABASE_URL, DB_TLS: 'verify-ca', ...paths }, (path) => files[path] ?? '')
  assert.deepEqual(
    problems.map(({ name }) => name),
    ['DB_TLS_CERT_FILE', 'DB_TLS_CA_FILE'],
  )
  assert.match(problems[1]?.got ?? '', /^"\/ca": ca has no whole PEM certificate/)
})

test('refuses TLS settings that would have no effect', () => {
  const namesOf = (env: Record<string, string>) => problemsOf(env, pem).map(({ name }) => name)
  assert.deepEqual(namesOf({ DATABASE_URL, DB_TLS_CA_FILE: '/ca' }), ['DB_TLS_CA_FILE'])
  assert.deepEqual(namesOf({ DATABASE_URL, DB_TLS: 'require', DB_TLS_CA_FILE: '/ca' }), ['DB_TLS_CA_FILE'])
  assert.deepEqual(namesOf({ DATABASE_URL, DB_TLS_CERT_FILE: '/c', DB_TLS_KEY_FILE: '/k' }), [
    'DB_TLS_CERT_FILE',
    'DB_TLS_KEY_FILE',
  ])
  assert.deepEqual(namesOf({ DATABASE_URL, DB_TLS: 'require', DB_TLS_CERT_FILE: '/c' }), ['DB_TLS_KEY_FILE'])
  assert.deepEqual(namesOf({ DB_TLS: 'require' }), ['DB_TLS'])
})

test('has no throw-away database in production or in Kubernetes', () => {
  for (const env of [{ NODE_ENV: 'production' }, { KUBERNETES_SERVICE_HOST: '10.0.0.1' }]) {
    assert.deepEqual(
      problemsOf(env).map(({ name, got }) => [name, got]),
      [['DATABASE_URL', 'nothing']],
    )
    assert.equal(parseConfig({ ...env, DATABASE_URL }, noFiles).database.kind, 'configured')
  }
  assert.equal(parseConfig({ NODE_ENV: 'development' }, noFiles).database.kind, 'throwAway')
})

test('the error says name, accepted range and value, a line each', () => {
  assert.throws(() => parseConfig({ PORT: 'x', POOL_SIZE: '0' }, noFiles), {
    name: 'ConfigError',
    message:
      '2 settings are wrong:\n' +
      '  PORT: must be an integer from 0 to 65535; got "x"\n' +
      '  POOL_SIZE: must be an integer from 1 to 1000; got "0"',
  })
})
