/** Where the database is and how to log in. What `createDatabase`, the migrator and the throw-away database exchange. */
export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  /** The path of the server's Unix socket. With it, host and port are not used, and there is no TLS. */
  readonly socketPath?: string
  readonly user: string
  /** Asked for each new connection, so that a rotated secret is used without a restart. */
  readonly password: () => Promise<string>
  /** The schema. */
  readonly database: string
  /** Absent: no TLS. */
  readonly tls?: TlsOptions
}

/** How strictly the server's certificate is checked, and with which files. */
export interface TlsOptions {
  /** Whether the certificate must come from `ca` (or, without it, from a public authority). */
  readonly verifyCertificate: boolean
  /** Whether the certificate must name `host`: as a name, or where `host` is an address as an address. */
  readonly verifyIdentity: boolean
  /**
   * Asked for each new connection, so that rotated files are used without a restart. What is rejected or cannot be used
   * (files that are just being written) leaves the last good texts in use. Absent: public authorities, no certificate of
   * the client's own.
   */
  readonly texts?: () => Promise<TlsTexts>
}

/** PEM texts. `cert` and `key` come together. */
export interface TlsTexts {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}
