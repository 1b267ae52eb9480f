/** Where the database is and how to log in. What `createDatabase`, the migrator and the throw-away database exchange. */
export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  readonly user: string
  /** Asked for each new connection, so that a rotated secret is used without a restart. */
  readonly password: () => Promise<string>
  /** The schema. */
  readonly database: string
  /** Absent: no TLS. */
  readonly tls?: TlsOptions
}

/** PEM texts, and how strictly the server's certificate is checked. */
export interface TlsOptions {
  /** Whether the certificate must come from `ca` (or, without it, from a public authority). */
  readonly verifyCertificate: boolean
  /** Whether the certificate must name `host`. */
  readonly verifyIdentity: boolean
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}
