import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { Certificate } from './certificates.ts'
import { type PoolServer, startPoolServer } from './pool-site.ts'
import { asAdmin } from './server-faults.ts'
import './provided-context.ts'

/** A server whose certificate can be replaced while it serves. */
export interface TlsServer extends PoolServer {
  /** New connections get this certificate, and theirs must come from `ca` where an account requires one. */
  readonly certify: (certificate: Certificate, ca: string) => Promise<void>
}

/** MariaDB reads its files again, but wants to know of them at the start; MySQL can be told of others later. */
export async function startTlsServer(certificate: Certificate, ca: string): Promise<TlsServer> {
  const isLocal = inject('serverKind').name === 'local'
  const folder = isLocal ? await mkdtemp(join(tmpdir(), 'still-here-tls-')) : '/tmp'
  const files = {
    ssl_cert: { path: join(folder, 'cert.pem'), text: certificate.cert },
    ssl_key: { path: join(folder, 'key.pem'), text: certificate.key },
    ssl_ca: { path: join(folder, 'ca.pem'), text: ca },
  }
  const entries = Object.entries(files)
  if (isLocal) for (const [, { path, text }] of entries) await writeFile(path, text)
  const server = await startPoolServer({
    serverArguments: isLocal ? entries.map(([name, { path }]) => `--${name.replace('_', '-')}=${path}`) : [],
  })
  const certify = async (next: Certificate, authority: string) => {
    await server.writeFile(files.ssl_cert.path, next.cert)
    await server.writeFile(files.ssl_key.path, next.key)
    await server.writeFile(files.ssl_ca.path, authority)
    await asAdmin(server, async (admin) => {
      if (server.flavour === 'mariadb') return void (await admin.query('FLUSH SSL'))
      for (const [name, { path }] of entries) await admin.query(`SET GLOBAL ${name} = '${path}'`)
      await admin.query('ALTER INSTANCE RELOAD TLS')
    })
  }
  await certify(certificate, ca)
  const dispose = async () => {
    await server.dispose()
    if (isLocal) await rm(folder, { recursive: true })
  }
  return { ...server, certify, dispose }
}
