import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

/** A certificate and its key, as PEM texts. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface CertificateOptions {
  /** Default: none. */
  readonly commonName?: string
  /** Host names of the subject's alternative names. */
  readonly names?: readonly string[]
  /** Addresses there; IPv6 in full, eight groups. */
  readonly addresses?: readonly string[]
  /** Whether its time is over. */
  readonly isExpired?: boolean
}

export interface Authority {
  readonly cert: string
  issue(options: CertificateOptions): Certificate
}

const DAY_MS = 86_400_000

/** An authority of its own: Node makes no certificates, and OpenSSL's program is not on every machine. */
export function createAuthority(commonName: string): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = { commonName, key: keys.publicKey, extensions: [basicConstraints] }
  return {
    cert: certify(subject, { commonName, key: keys.privateKey }),
    issue(options) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const leaf = { ...options, key: publicKey, extensions: alternativeNames(options) }
      return {
        cert: certify(leaf, { commonName, key: keys.privateKey }),
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      }
    },
  }
}

/** A certificate that nobody vouches for. */
export function createSelfSigned(options: CertificateOptions & { readonly commonName: string }): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = { ...options, key: publicKey, extensions: alternativeNames(options) }
  return {
    cert: certify(subject, { commonName: options.commonName, key: privateKey }),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

interface Subject extends CertificateOptions {
  readonly key: KeyObject
  readonly extensions: readonly Buffer[]
}

/** RFC 5280, as far as it is needed here. */
function certify(subject: Subject, issuer: { readonly commonName: string; readonly key: KeyObject }): string {
  const nowMs = Date.now()
  const untilMs = nowMs + (subject.isExpired ? -1 : 30) * DAY_MS
  const signed = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    nameOf(issuer.commonName),
    der(SEQUENCE, time(nowMs - 30 * DAY_MS), time(untilMs)),
    nameOf(subject.commonName),
    subject.key.export({ type: 'spki', format: 'der' }),
    ...(subject.extensions.length > 0 ? [der(0xa3, der(SEQUENCE, ...subject.extensions))] : []),
  )
  const signature = der(BIT_STRING, Buffer.from([0]), sign('sha256', signed, issuer.key))
  const base64 = der(SEQUENCE, signed, ecdsaWithSha256, signature).toString('base64')
  return ['-----BEGIN CERTIFICATE-----', ...(base64.match(/.{1,64}/g) ?? []), '-----END CERTIFICATE-----', ''].join(
    '\n',
  )
}

const BOOLEAN = 0x01
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_IDENTIFIER = 0x06
const UTF8_STRING = 0x0c
const GENERALIZED_TIME = 0x18
const UTC_TIME = 0x17
const SEQUENCE = 0x30
const SET = 0x31

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const ecdsaWithSha256 = der(SEQUENCE, der(OBJECT_IDENTIFIER, Buffer.from('2a8648ce3d040302', 'hex')))
const commonNameId = der(OBJECT_IDENTIFIER, Buffer.from('550403', 'hex'))
const basicConstraints = extension('551d13', der(SEQUENCE, der(BOOLEAN, Buffer.from([0xff]))))

function extension(id: string, value: Buffer): Buffer {
  return der(SEQUENCE, der(OBJECT_IDENTIFIER, Buffer.from(id, 'hex')), der(OCTET_STRING, value))
}

function nameOf(commonName: string | undefined): Buffer {
  if (commonName === undefined) return der(SEQUENCE)
  return der(SEQUENCE, der(SET, der(SEQUENCE, commonNameId, der(UTF8_STRING, Buffer.from(commonName)))))
}

/** RFC 5280, 4.1.2.5: of two digits until 2049. */
function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
  return text < '2050' ? der(UTC_TIME, Buffer.from(text.slice(2))) : der(GENERALIZED_TIME, Buffer.from(text))
}

function alternativeNames({ names = [], addresses = [] }: CertificateOptions): readonly Buffer[] {
  if (names.length + addresses.length === 0) return []
  const entries = [
    ...names.map((name) => der(0x82, Buffer.from(name))),
    ...addresses.map((address) => der(0x87, addressBytes(address))),
  ]
  return [extension('551d11', der(SEQUENCE, ...entries))]
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  return Buffer.from(
    address
      .split(':')
      .map((group) => group.padStart(4, '0'))
      .join(''),
    'hex',
  )
}
