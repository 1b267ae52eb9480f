import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { resultsFolder } from './results-folder.ts'

const execute = promisify(execFile)

/** Where Debian's golang-github-go-sql-driver-mysql-dev puts the driver's source. */
const debianSources = '/usr/share/gocode'

interface GoPeer {
  readonly program: string
  /** `1.19.8`. */
  readonly version: string
}

/** Builds the Go peer; undefined, with one line that says why, where it cannot be built. */
export async function buildGoPeer(say: (line: string) => void): Promise<GoPeer | undefined> {
  const skip = (why: string) => say(`Go is left out: ${why}`)
  const version = await execute('go', ['version']).catch(() => undefined)
  if (version === undefined) return void skip('`go` is not installed (Debian: golang-go)')
  if (!existsSync(join(debianSources, 'src/github.com/go-sql-driver/mysql'))) {
    return void skip('its MySQL driver is not installed (Debian: golang-github-go-sql-driver-mysql-dev)')
  }
  await mkdir(resultsFolder, { recursive: true })
  const program = join(resultsFolder, 'go-peer')
  try {
    await execute('go', ['build', '-o', program, '.'], {
      cwd: resolve(import.meta.dirname, 'peers/go'),
      // No modules: the driver comes from the system's package, not from the network.
      env: { ...process.env, GO111MODULE: 'off', GOPATH: debianSources },
    })
    return { program, version: /\d[\d.]*/.exec(version.stdout)?.[0] ?? 'unknown' }
  } catch (error) {
    return void skip(error instanceof Error ? error.message : String(error))
  }
}
