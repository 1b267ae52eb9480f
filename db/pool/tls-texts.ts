import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { TlsOptions, TlsTexts } from '../connection-options.ts'

/** What OpenSSL takes for a certificate. */
const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g

/**
 * Reads the texts again each time, and resolves with the same object while they have not changed. Those that cannot be
 * read or used, as while they are written, are told to `onUnusable` once, and the last good ones stand.
 */
export function createTextsReader(
  tls: TlsOptions | undefined,
  onUnusable: (cause: unknown) => void,
): () => Promise<TlsTexts> {
  let last: TlsTexts | undefined
  let isTold = false
  return async () => {
    try {
      const found = (await tls?.texts?.()) ?? {}
      if (!last || !areEqual(last, found)) {
        checkTexts(found)
        last = found
      }
      isTold = false
    } catch (error) {
      if (!last) throw error
      if (!isTold) onUnusable(error)
      isTold = true
    }
    return last
  }
}

function areEqual(a: TlsTexts, b: TlsTexts): boolean {
  return a.ca === b.ca && a.cert === b.cert && a.key === b.key
}

/**
 * OpenSSL passes over a certificate that is cut off, and Node over an empty text: the public authorities
 * would then stand for the one that was meant.
 * @throws Error that says what is wrong, without any of the text
 */
export function checkTexts({ ca, cert, key }: TlsTexts): void {
  for (const [name, text] of [
    ['ca', ca],
    ['cert', cert],
  ] as const) {
    if (text !== undefined) checkCertificates(name, text)
  }
  if ((cert === undefined) !== (key === undefined)) throw new Error('certificate and key come together')
  if (key !== undefined) createPrivateKey(key)
  createSecureContext({ ca, cert, key }) // throws when the key is another certificate's
}

function checkCertificates(name: string, text: string): void {
  const blocks = text.match(CERTIFICATE) ?? []
  if (blocks.length === 0 || blocks.length !== text.split(/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/).length - 1) {
    throw new Error(`${name} has no whole PEM certificate, or one that is cut off`)
  }
  for (const block of blocks) new X509Certificate(block)
}
