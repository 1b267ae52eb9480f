/** How much TLS there is, weakest first; what `DB_TLS` takes. */
export const tlsModes = ['off', 'require', 'verify-ca', 'verify-full'] as const
export type TlsMode = (typeof tlsModes)[number]

/** What a parameter of a URL asks for; `refusal` says what to do instead. Empty: what the service does anyway. */
export type ParameterEffect =
  | { readonly tls?: TlsMode; readonly socketPath?: string; readonly refusal?: undefined }
  | { readonly refusal: string }

const NONE: ParameterEffect = {}

/** The parameters that platforms and other drivers put into such URLs. Pure. `name` in any case, with `-` or `_`. */
export function judgeParameter(name: string, value: string): ParameterEffect {
  const judge = parameters.get(name.toLowerCase().replace(/[-_]/g, ''))
  return judge ? judge(value) : { refusal: 'it is no parameter here' }
}

type Judge = (value: string) => ParameterEffect

function tlsBy(modes: Readonly<Record<string, TlsMode>>): Judge {
  return (value) => {
    const tls = modes[value.toLowerCase().replace(/_/g, '-')]
    return tls === undefined ? SAY_TLS : { tls }
  }
}

const SAY_TLS = { refusal: 'set DB_TLS to off, require, verify-ca or verify-full: drivers differ in what this checks' }

const certificateFile: Judge = () => ({ refusal: 'set DB_TLS_CA_FILE, or DB_TLS_CERT_FILE and DB_TLS_KEY_FILE' })
const socketPath: Judge = (value) =>
  value.startsWith('/') ? { socketPath: value } : { refusal: 'it is no whole path' }
const poolSize: Judge = () => ({ refusal: 'set POOL_SIZE' })
const time: Judge = () => ({ refusal: 'times have settings of their own' })

/** What is done anyway: only its contrary is refused. */
function always(...values: readonly string[]): Judge {
  return (value) => (values.includes(value.toLowerCase()) ? NONE : { refusal: `it is always ${values[0]}` })
}

const utf8 = always('utf8mb4', 'utf8', 'utf-8')
const utc = always('utc', 'z', '+00:00')
const yes = always('true', '1', '')

const parameters: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  // MySQL's own tools, DigitalOcean, Aiven; `preferred` takes what it gets, which this service never does.
  [
    'sslmode',
    tlsBy({
      disabled: 'off',
      disable: 'off',
      required: 'require',
      require: 'require',
      'verify-ca': 'verify-ca',
      'verify-identity': 'verify-full',
      'verify-full': 'verify-full',
    }),
  ],
  ['sslaccept', tlsBy({ strict: 'verify-full', 'accept-invalid-certs': 'require' })], // Prisma
  ['tls', tlsBy({ true: 'verify-full', 'skip-verify': 'require', false: 'off' })], // Go
  ['usessl', tlsBy({ false: 'off' })], // Java
  ['ssl', judgeSsl], // mysql2
  ...['sslca', 'sslcapath', 'sslrootcert', 'sslcert', 'sslkey', 'sslidentity'].map(
    (name) => [name, certificateFile] as const,
  ),
  ...['socket', 'socketpath', 'unixsocket'].map((name) => [name, socketPath] as const),
  ...['charset', 'characterset', 'characterencoding', 'encoding'].map((name) => [name, utf8] as const),
  ...['timezone', 'servertimezone', 'loc'].map((name) => [name, utc] as const),
  ...['reconnect', 'autoreconnect', 'parsetime', 'useunicode', 'allowpublickeyretrieval'].map(
    (name) => [name, yes] as const,
  ),
  ...['connectionlimit', 'maxpoolsize', 'poolsize'].map((name) => [name, poolSize] as const),
  ...['connecttimeout', 'connectiontimeout', 'pooltimeout', 'sockettimeout', 'acquiretimeout', 'timeout'].map(
    (name) => [name, time] as const,
  ),
])

/** `{"rejectUnauthorized":true}`, as PlanetScale has it. mysql2 checks the name only where it is told to. */
function judgeSsl(value: string): ParameterEffect {
  const asked = parseJson(value)
  if (asked === false || asked === 0) return { tls: 'off' }
  if (typeof asked !== 'object' || asked === null) return SAY_TLS
  const { rejectUnauthorized = true, verifyIdentity = false, ...others } = asked as Record<string, unknown>
  if (Object.keys(others).length > 0) return certificateFile(value)
  if (rejectUnauthorized === false && verifyIdentity === false) return { tls: 'require' }
  if (rejectUnauthorized !== true || typeof verifyIdentity !== 'boolean') return SAY_TLS
  return { tls: verifyIdentity ? 'verify-full' : 'verify-ca' }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a profile's name, for example
  }
}
