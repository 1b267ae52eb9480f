import type { Flavour } from '../../db/local/server-version.ts'
import type { ServerLogin } from './test-database-setting.ts'

/** Where servers of a test's own come from. */
export type ServerKind = { readonly name: 'docker'; readonly image: string } | { readonly name: 'local' }

/** The server that all files of the integration project share, each in a schema of its own. */
interface SharedServer {
  readonly flavour: Flavour
  /** As the server says it: `10.11.19-MariaDB-...`. */
  readonly version: string
  /** May do everything. */
  readonly admin: ServerLogin
}

declare module 'vitest' {
  // vitest sends these from the global set-up to the test files, so they are plain data.
  interface ProvidedContext {
    readonly serverKind: ServerKind
    readonly sharedServer: SharedServer
  }
}
