import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import type { Guard } from '../../../db/local/guard.ts'
import { serverCandidates } from '../../../db/local/server-candidates.ts'

let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'still-here-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function writeProgram(name: string, script: string): Promise<void> {
  await mkdir(join(folder, 'bin'), { recursive: true })
  await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`)
  await chmod(join(folder, 'bin', name), 0o755)
}

/** An apt-get that "downloads" one package, and a dpkg-deb that "unpacks" a server whose loader tells a version. */
async function writePackageTools(aptGet: string): Promise<void> {
  await writeProgram('apt-get', aptGet)
  await writeProgram(
    'dpkg-deb',
    [
      'mkdir -p "$3/usr/sbin" "$3/usr/share/mysql/english" "$3/usr/share/doc" "$3/lib/any-linux-gnu/gconv"',
      'touch "$3/usr/sbin/mariadbd" "$3/usr/share/mysql/english/errmsg.sys"',
      'printf "#!/bin/sh\\necho mariadbd Ver 10.11.19-MariaDB" >"$3/lib/any-linux-gnu/ld-linux-any.so.2"',
      'chmod +x "$3/lib/any-linux-gnu/ld-linux-any.so.2"',
    ].join('\n'),
  )
}

const workingAptGet =
  'for a; do case $a in Dir::Cache=*) cache=$(echo $a | cut -d= -f2);; install) touch "$cache/archives/server.deb";; esac; done'

/** Neither locks nor death signals: the programs here are scripts that end at once. */
async function fakeGuard(): Promise<Guard> {
  await writeProgram('setpriv', 'shift 2; exec "$@"')
  return { setpriv: join(folder, 'bin/setpriv'), flock: '' }
}

interface Search {
  readonly origins: readonly string[]
  readonly said: readonly string[]
  readonly reasons: readonly string[]
}

/** All candidates but those that this machine has installed. */
async function search(cache: string): Promise<Search> {
  const said: string[] = []
  const reasons: string[] = []
  const origins: string[] = []
  const environment = { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, XDG_CACHE_HOME: cache }
  const giveUp = (reason: string) => void reasons.push(reason)
  const say = (line: string) => void said.push(line)
  for await (const { origin } of serverCandidates({
    folder,
    environment,
    guard: await fakeGuard(),
    say,
    giveUp,
    passOver: giveUp,
  })) {
    if (origin.startsWith(folder)) origins.push(origin.slice(folder.length + 1))
  }
  return { origins, said, reasons }
}

const cachedServer = `cache/still-here/mariadb-${process.platform}-${process.arch}/usr/sbin/mariadbd`

test('downloads once, says so before it waits, and uses the cached copy afterwards', async () => {
  await writePackageTools(workingAptGet)
  const first = await search(join(folder, 'cache'))
  assert.deepEqual(first.origins, [cachedServer])
  assert.deepEqual(first.said, [
    `downloading MariaDB with apt-get: about 25 MB, once, into ${folder}/cache/still-here; needs no root`,
  ])
  const second = await search(join(folder, 'cache'))
  assert.deepEqual(second.origins, [cachedServer])
  assert.deepEqual(second.said, [])
})

test('two downloads at once end with one copy and no rest', async () => {
  await writePackageTools(workingAptGet)
  const both = await Promise.all([search(join(folder, 'cache')), search(join(folder, 'cache'))])
  assert.deepEqual(
    both.map(({ origins }) => origins),
    [[cachedServer], [cachedServer]],
  )
  assert.equal((await readdir(join(folder, 'cache/still-here'))).length, 1)
})

test('prefers an installed server to any other', async () => {
  await writePackageTools(workingAptGet)
  await writeProgram('mysqld', 'echo mysqld Ver 9.7.4')
  assert.deepEqual((await search(join(folder, 'cache'))).origins, ['bin/mysqld', cachedServer])
})

test('keeps the download in the given folder when the cache of the user cannot be written', async () => {
  await writePackageTools(workingAptGet)
  await writeFile(join(folder, 'file'), '')
  const { origins } = await search(join(folder, 'file/below'))
  assert.deepEqual(origins, [cachedServer.replace('cache/still-here', 'cache')])
})

test('says what apt-get said when there is nothing to be had', async () => {
  await writePackageTools('echo E: Unable to locate package mariadb-server-core >&2; exit 100')
  const { origins, reasons } = await search(join(folder, 'cache'))
  assert.deepEqual(origins, [])
  assert.match(reasons.at(-1) ?? '', /^downloading MariaDB failed: .* ended with 100: E: Unable to locate package/)
  assert.deepEqual(await readdir(join(folder, 'cache/still-here')), [])
})
