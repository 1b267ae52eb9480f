import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** `npm ci` in bench/peers. @throws Error when it fails */
export async function installPeers(say: (line: string) => void): Promise<void> {
  say('npm ci in bench/peers')
  const child = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: join(import.meta.dirname, 'peers'),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`npm ci in bench/peers ended with ${code}`)
}
