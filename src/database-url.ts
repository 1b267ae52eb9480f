import { isIPv6 } from 'node:net'
import { judgeParameter, type TlsMode } from './url-parameters.ts'

/** The parts of a `DATABASE_URL`. */
export interface DatabaseUrl {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** Instead of host and port. */
  readonly socketPath?: string
  /** Absent: the URL does not say. */
  readonly tls?: TlsMode
}

/** One thing that is wrong with a URL. Never anything that could be part of a password. */
export interface UrlFault {
  /** After "must be". */
  readonly accepted: string
  readonly got: string
}

/** Other names that mean the same: of MariaDB's tools and of Rails. */
const SCHEMES = ['mysql', 'mariadb', 'mysql2']
const DEFAULT_PORT = 3306

/** The parts, or all that is wrong with them. Pure. Not the URL class: it has one answer to all mistakes. */
export function parseDatabaseUrl(text: string): DatabaseUrl | readonly UrlFault[] {
  const faults: UrlFault[] = []
  const fault = (accepted: string, got: string) => void faults.push({ accepted, got })

  if (text.trim() !== text || /^["']/.test(text)) fault('without spaces or quotation marks around it', 'some')
  const [, scheme = '', rest = ''] = /^\s*["']?([a-z][a-z\d+.:-]*):\/\/(.*?)["']?\s*$/is.exec(text) ?? []
  if (scheme === '') return [...faults, { accepted: '`mysql://user:password@host:port/name`', got: 'something else' }]
  if (!SCHEMES.includes(scheme.toLowerCase())) fault('a URL that begins with `mysql://`', `\`${scheme}://\``)

  const [, authority = '', tail = ''] = /^([^/?#]*)(.*)$/s.exec(rest) ?? []
  if (tail.includes('@')) {
    // Where the password ends nobody can tell, so nothing else is said either.
    const [mark = '@'] = tail
    fault(`percent-encoded: \`${encodeURIComponent(mark)}\` for a \`${mark}\` in user, password or name`, 'it as it is')
    return faults
  }
  const [, path = '', query = '', fragment] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(tail) ?? []
  if (fragment !== undefined) fault('without `#`: in a password it is written `%23`', 'one')

  function decode(part: string, what: string): string {
    try {
      return decodeURIComponent(part)
    } catch {
      fault(`percent-encoded: \`%25\` for a \`%\` in the ${what}`, 'a `%` that encodes nothing')
      return part
    }
  }

  const at = authority.lastIndexOf('@')
  const [, user = '', password = ''] = /^([^:]*):?(.*)$/s.exec(authority.slice(0, Math.max(0, at))) ?? []
  if (user === '') fault('with a user before the host, as in `mysql://user:password@host`', 'none')
  const parameters = readParameters(query, decode, fault)
  const { host, port } = readHost(authority.slice(at + 1), parameters.socketPath !== undefined, fault)
  const name = path.slice(1)
  if (name === '') fault("with the schema's name after the host, as in `host:port/name`", 'none')
  else if (name.includes('/')) fault('with one name after the host: a `/` in a name or password is `%2F`', 'two')
  const parts = { host, port, user: decode(user, 'user'), password: decode(password, 'password') }
  const url = { ...parts, database: decode(name, 'name'), ...parameters }
  return faults.length > 0 ? faults : url
}

type Fault = (accepted: string, got: string) => void

function readHost(text: string, hasSocket: boolean, fault: Fault): { readonly host: string; readonly port: number } {
  if (isIPv6(text)) fault('with an address of IPv6 in brackets, as in `[::1]:3306`', 'one without')
  const [, address, name = '', digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/s.exec(text) ?? []
  const host = address ?? name
  if (host === '' && !hasSocket && !isIPv6(text)) fault('with a host after the `@`', 'none')
  else if (host.includes(',')) fault('with one host', 'several')
  else if (address === undefined ? !/^[\w.-]*$/.test(name) : !isIPv6(address)) {
    fault('with a host that is a name or an address', 'something else')
  }
  const port = digits ? Number(digits) : DEFAULT_PORT
  if (digits && !(/^\d{1,5}$/.test(digits) && port >= 1 && port <= 65_535)) {
    fault('with a port from 1 to 65535', 'something else')
  }
  return { host: host || 'localhost', port }
}

function readParameters(
  query: string,
  decode: (part: string, what: string) => string,
  fault: Fault,
): { readonly tls?: TlsMode; readonly socketPath?: string } {
  const modes = new Set<TlsMode>()
  const paths = new Set<string>()
  for (const pair of query.split('&').filter((text) => text !== '')) {
    const [, rawName = '', rawValue = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? []
    const name = decode(rawName, 'parameters')
    const effect = judgeParameter(name, decode(rawValue, 'parameters'))
    // A name that is none may be the rest of a password behind a `?`.
    const shown = /^[\w-]{1,40}$/.test(name) ? `\`${name}\`` : 'such a parameter'
    if (effect.refusal !== undefined) {
      fault(`without ${shown}, or with another value of it: ${effect.refusal}`, 'it')
      continue
    }
    if (effect.tls) modes.add(effect.tls)
    if (effect.socketPath) paths.add(effect.socketPath)
  }
  if (modes.size > 1) fault('of one mind about TLS', `parameters for ${[...modes].join(' and ')}`)
  if (paths.size > 1) fault('with one socket', 'several')
  const [[tls], [socketPath]] = [[...modes], [...paths]]
  return { ...(tls && { tls }), ...(socketPath && { socketPath }) }
}
