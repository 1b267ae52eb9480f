import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { parseDatabaseUrl } from '../../src/database-url.ts'

/** What is accepted instead, and what was found; undefined when nothing is wrong. */
function faultsOf(text: string): readonly string[] | undefined {
  const parsed = parseDatabaseUrl(text)
  return 'host' in parsed ? undefined : parsed.map(({ accepted, got }) => `${accepted}; ${got}`)
}

const parts = { host: 'h', port: 3306, user: 'u', password: 'p', database: 'n' }

test('takes the schemes of MariaDB and of Rails for the same, and defaults for what is left out', () => {
  for (const scheme of ['mysql', 'mariadb', 'mysql2', 'MySQL']) {
    assert.deepEqual(parseDatabaseUrl(`${scheme}://u:p@h/n`), parts)
  }
  assert.deepEqual(parseDatabaseUrl('mysql://u@h:3307/n'), { ...parts, password: '', port: 3307 })
  assert.deepEqual(parseDatabaseUrl('mysql://u:p@[fe80::1]:1/n'), { ...parts, host: 'fe80::1', port: 1 })
})

test('what is percent-encoded comes out as it was, and is never shown where something else is wrong', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 4 }), (password) => {
      const encoded = encodeURIComponent(password)
      const parsed = parseDatabaseUrl(`mysql://u:${encoded}@h/n`)
      assert.equal('host' in parsed && parsed.password, password)
    }),
  )
})

test('a password is never part of what is said, wherever it has a character that splits a URL', () => {
  const secret = fc.array(fc.constantFrom('Pa55', '#', '/', '?', '@', ':', '%', '%zz', '&', '=', ',', ' ', '"'), {
    minLength: 1,
    maxLength: 6,
  })
  fc.assert(
    fc.property(secret, fc.constantFrom('mysql://', 'postgres://', ''), (words, scheme) => {
      const said = faultsOf(`${scheme}u:${words.join('')}@h:x/n?ssl=maybe`)?.join('\n') ?? ''
      assert.ok(!said.includes('Pa55'), said)
    }),
    { numRuns: 2_000 },
  )
})

const mistakes: readonly (readonly [url: string, ...faults: readonly string[]])[] = [
  ['topsecret', '`mysql://user:password@host:port/name`; something else'],
  ['postgres://u:p@h/n', 'a URL that begins with `mysql://`; `postgres://`'],
  ['jdbc:mysql://u:p@h/n', 'a URL that begins with `mysql://`; `jdbc:mysql://`'],
  ['"mysql://u:p@h/n"', 'without spaces or quotation marks around it; some'],
  ['mysql://u:a#b@h/n', 'percent-encoded: `%23` for a `#` in user, password or name; it as it is'],
  ['mysql://u:a/b@h/n', 'percent-encoded: `%2F` for a `/` in user, password or name; it as it is'],
  ['mysql://u:a?b@h/n', 'percent-encoded: `%3F` for a `?` in user, password or name; it as it is'],
  ['mysql://u:100%@h/n', 'percent-encoded: `%25` for a `%` in the password; a `%` that encodes nothing'],
  ['mysql://u:p@h/n#x', 'without `#`: in a password it is written `%23`; one'],
  ['mysql://h/n', 'with a user before the host, as in `mysql://user:password@host`; none'],
  ['mysql://u:p@/n', 'with a host after the `@`; none'],
  ['mysql://u:p@::1/n', 'with an address of IPv6 in brackets, as in `[::1]:3306`; one without', PORT()],
  ['mysql://u:p@a,b/n', 'with one host; several'],
  ['mysql://u:p@[h]/n', 'with a host that is a name or an address; something else'],
  ['mysql://u:p@h:0/n', PORT()],
  ['mysql://u:p@h:65536/n', PORT()],
  ['mysql://u:p@h:x/n', PORT()],
  ['mysql://u:p@h', "with the schema's name after the host, as in `host:port/name`; none"],
  ['mysql://u:p@h/n/m', 'with one name after the host: a `/` in a name or password is `%2F`; two'],
  ['mysql://u:p@h/n?foo=1', without('foo', 'it is no parameter here')],
  ['mysql://u:p@h/n?connection_limit=5', without('connection_limit', 'set POOL_SIZE')],
  ['mysql://u:p@h/n?connectTimeout=5', without('connectTimeout', 'times have settings of their own')],
  ['mysql://u:p@h/n?ssl-mode=PREFERRED', without('ssl-mode', DRIVERS())],
  ['mysql://u:p@h/n?ssl=true', without('ssl', DRIVERS())],
  ['mysql://u:p@h/n?ssl=Amazon%20RDS', without('ssl', DRIVERS())],
  ['mysql://u:p@h/n?ssl={"ca":"x"}', without('ssl', FILES())],
  ['mysql://u:p@h/n?sslcert=/ca.pem', without('sslcert', FILES())],
  ['mysql://u:p@h/n?charset=latin1', without('charset', 'it is always utf8mb4')],
  ['mysql://u:p@h/n?timezone=local', without('timezone', 'it is always utc')],
  ['mysql://u:p@h/n?reconnect=false', without('reconnect', 'it is always true')],
  ['mysql://u:p@h/n?a b=1', 'without such a parameter, or with another value of it: it is no parameter here; it'],
  ['mysql://u:p@h/n?socket=relative', without('socket', 'it is no whole path')],
  ['mysql://u:p@h/n?socket=/a&socketPath=/b', 'with one socket; several'],
  ['mysql://u:p@h/n?ssl-mode=REQUIRED&sslaccept=strict', MIND()],
]

function PORT() {
  return 'with a port from 1 to 65535; something else'
}
function DRIVERS() {
  return 'set DB_TLS to off, require, verify-ca or verify-full: drivers differ in what this checks'
}
function FILES() {
  return 'set DB_TLS_CA_FILE, or DB_TLS_CERT_FILE and DB_TLS_KEY_FILE'
}
function MIND() {
  return 'of one mind about TLS; parameters for require and verify-full'
}
function without(name: string, instead: string) {
  return `without \`${name}\`, or with another value of it: ${instead}; it`
}

test.for(mistakes)('says what is wrong with %s', ([url, ...faults]) => {
  assert.deepEqual(faultsOf(url), faults)
})

test('says all that is wrong at once', () => {
  assert.equal(faultsOf('postgres://h:x/?ssl=yes&foo=1#')?.length, 7)
})

test('takes what platforms write where its meaning is certain', () => {
  const tlsOf = (query: string) => {
    const parsed = parseDatabaseUrl(`mysql://u:p@h/n?${query}`)
    return 'host' in parsed ? (parsed.tls ?? 'unsaid') : parsed
  }
  for (const query of ['', 'reconnect=true', 'charset=utf8mb4&timezone=Z', 'parseTime=true&loc=UTC']) {
    assert.equal(tlsOf(query), 'unsaid', query)
  }
  for (const query of ['ssl-mode=DISABLED', 'sslmode=disable', 'ssl=false', 'useSSL=false', 'tls=false']) {
    assert.equal(tlsOf(query), 'off', query)
  }
  const required = ['ssl-mode=REQUIRED', 'ssl_mode=required', 'sslaccept=accept_invalid_certs', 'tls=skip-verify']
  for (const query of [...required, 'ssl={"rejectUnauthorized":false}', 'ssl-mode=REQUIRED&sslMode=require']) {
    assert.equal(tlsOf(query), 'require', query)
  }
  const encoded = encodeURIComponent('{"rejectUnauthorized":true}')
  for (const query of ['ssl-mode=VERIFY_CA', 'ssl={"rejectUnauthorized":true}', 'ssl={}', `ssl=${encoded}`]) {
    assert.equal(tlsOf(query), 'verify-ca', query)
  }
  for (const query of ['ssl-mode=VERIFY_IDENTITY', 'sslaccept=strict', 'tls=true', 'ssl={"verifyIdentity":true}']) {
    assert.equal(tlsOf(query), 'verify-full', query)
  }
})

test('takes a Unix socket instead of host and port', () => {
  for (const host of ['localhost', '']) {
    for (const name of ['socket', 'socketPath', 'unix_socket']) {
      const url = `mysql://u:p@${host}/n?${name}=/run/mysqld/mysqld.sock`
      assert.deepEqual(parseDatabaseUrl(url), { ...parts, host: 'localhost', socketPath: '/run/mysqld/mysqld.sock' })
    }
  }
})
