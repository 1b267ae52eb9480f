import { type ConnectionOptions, checkTexts, type TlsOptions, type TlsTexts } from '../db/index.ts'
import { type Env, quote, type Reader, withoutFinalNewline } from './setting-reader.ts'
import { settings } from './settings.ts'
import type { TlsMode } from './url-parameters.ts'

/** Which database. */
export type DatabaseSetting =
  | { readonly kind: 'configured'; readonly connection: ConnectionOptions }
  | { readonly kind: 'throwAway' }

const databaseParts = ['DB_HOST', 'DB_PORT', 'DB_SOCKET', 'DB_USER', 'DB_PASSWORD', 'DB_NAME'] as const
const tlsFiles = ['DB_TLS_CA_FILE', 'DB_TLS_CERT_FILE', 'DB_TLS_KEY_FILE'] as const

/** The database: in one line, in parts, or none. */
export function readDatabase(reader: Reader, env: Env): DatabaseSetting {
  const parts = databaseParts.filter((name) => reader.isSet(name))
  if (reader.isSet('DATABASE_URL')) {
    for (const name of parts) reader.problems.push({ name, accepted: 'unset when DATABASE_URL is set', got: 'both' })
    return { kind: 'configured', connection: fromUrl(reader, env) }
  }
  if (parts.length > 0) return { kind: 'configured', connection: fromParts(reader, env) }
  for (const name of ['DB_TLS', ...tlsFiles] as const) {
    if (env[name])
      reader.problems.push({ name, accepted: 'unset without DATABASE_URL or DB_HOST', got: quote(env[name]) })
  }
  const place = env.NODE_ENV === 'production' ? 'NODE_ENV=production' : env.KUBERNETES_SERVICE_HOST && 'Kubernetes'
  if (place) {
    const accepted = `set, or DB_HOST, DB_USER, DB_PASSWORD and DB_NAME: with ${place} there is no throw-away database`
    reader.problems.push({ name: 'DATABASE_URL', accepted, got: 'nothing' })
  }
  return { kind: 'throwAway' }
}

function fromUrl(reader: Reader, env: Env): ConnectionOptions {
  const { password, tls, ...rest } = reader.optional('DATABASE_URL') ?? {
    host: '',
    port: 0,
    user: '',
    password: '',
    database: '',
  }
  if (tls && env['DB_TLS'] && env['DB_TLS'] !== tls) {
    reader.problems.push({
      name: 'DB_TLS',
      accepted: `unset, or ${tls} as DATABASE_URL has it`,
      got: quote(env['DB_TLS']),
    })
  }
  const path = env.DATABASE_URL_FILE
  const readAgain = (found: string) =>
    settings.DATABASE_URL.parse(withoutFinalNewline(reader.readFile(found)))?.password ?? password
  const login = { ...rest, password: async () => (path ? readAgain(path) : password) }
  return withTls(login, reader, tls)
}

function fromParts(reader: Reader, env: Env): ConnectionOptions {
  const need = (name: 'DB_HOST' | 'DB_USER' | 'DB_NAME') => {
    if (!reader.isSet(name)) {
      reader.problems.push({ name, accepted: 'set when another DB_ setting is', got: 'nothing' })
    }
    return reader.optional(name) ?? ''
  }
  const socketPath = reader.optional('DB_SOCKET')
  const hasSocket = reader.isSet('DB_SOCKET')
  for (const name of ['DB_HOST', 'DB_PORT'] as const) {
    if (hasSocket && reader.isSet(name)) {
      reader.problems.push({ name, accepted: 'unset when DB_SOCKET is set', got: 'both' })
    }
  }
  const password = reader.optional('DB_PASSWORD') ?? ''
  const path = env.DB_PASSWORD_FILE
  const login = {
    host: hasSocket ? 'localhost' : need('DB_HOST'),
    port: reader.value('DB_PORT'),
    user: need('DB_USER'),
    // A rotated secret is a changed file.
    password: async () => (path ? withoutFinalNewline(reader.readFile(path)) : password),
    database: need('DB_NAME'),
    ...(socketPath && { socketPath }),
  }
  return withTls(login, reader, undefined)
}

/** `mode` as the URL has it; undefined: as `DB_TLS` has it. */
function withTls(login: ConnectionOptions, reader: Reader, mode: TlsMode | undefined): ConnectionOptions {
  const tls = readTls(reader, mode ?? reader.value('DB_TLS'))
  if (tls && login.socketPath) {
    const accepted = 'off with a Unix socket, which never leaves the machine and names no host'
    reader.problems.push({ name: 'DB_TLS', accepted, got: mode ?? 'another value' })
  }
  return { ...login, ...(tls && { tls }) }
}

function readTls(reader: Reader, mode: TlsMode): TlsOptions | undefined {
  const verifies = mode === 'verify-ca' || mode === 'verify-full'
  const [ca, cert, key] = tlsFiles.map((name) => {
    const path = reader.optional(name)
    return path === undefined ? undefined : { name, path, text: reader.file(name, path) }
  })
  const refuse = (file: typeof ca, accepted: string) => {
    if (file) reader.problems.push({ name: file.name, accepted, got: quote(file.path) })
  }
  if (!verifies) refuse(ca, 'unset unless DB_TLS is verify-ca or verify-full')
  if (mode === 'off') {
    for (const file of [cert, key]) refuse(file, 'unset unless DB_TLS is on')
    return undefined
  }
  if (!cert !== !key) {
    const name = cert ? 'DB_TLS_KEY_FILE' : 'DB_TLS_CERT_FILE'
    reader.problems.push({ name, accepted: 'set together with the other of certificate and key', got: 'nothing' })
  } else if (cert?.text !== undefined && key?.text !== undefined) {
    check(reader, cert, { cert: cert.text, key: key.text })
  }
  if (verifies && ca?.text !== undefined) check(reader, ca, { ca: ca.text })
  const strictness = { verifyCertificate: verifies, verifyIdentity: mode === 'verify-full' }
  if (!ca && !cert) return strictness
  const read = (file: typeof ca) => file && reader.readFile(file.path)
  return { ...strictness, texts: async () => ({ ca: read(ca), cert: read(cert), key: read(key) }) }
}

function check(
  reader: Reader,
  { name, path }: { readonly name: string; readonly path: string },
  texts: TlsTexts,
): void {
  try {
    checkTexts(texts)
  } catch (error) {
    const accepted =
      name === 'DB_TLS_CA_FILE' ? 'a PEM file of certificates' : "a PEM file, DB_TLS_KEY_FILE's key its own"
    const why = error instanceof Error ? error.message : String(error)
    reader.problems.push({ name, accepted, got: `${quote(path)}: ${why}` })
  }
}
