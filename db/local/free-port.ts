import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'

/**
 * A port of 127.0.0.1 that nobody listens on now. Outside the range that the kernel gives to outgoing connections: a server
 * that is restarted there could find its port taken by somebody's client.
 */
export async function findFreePort(): Promise<number> {
  const { from, below } = await portRange()
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(from, below)
    if (await isPortFree(port)) return port
  }
  throw new Error(`no free port on 127.0.0.1 between ${from} and ${below}`)
}

/** Whether a server could listen there at this moment. */
export function isPortFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)))
  return promise
}

interface PortRange {
  readonly from: number
  readonly below: number
}

async function portRange(): Promise<PortRange> {
  const usual = { from: 20_000, below: 32_768 }
  const text = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '')
  const [low = usual.below] = text.trim().split(/\s+/).filter(Boolean).map(Number)
  // A machine tuned for many connections may give them nearly all ports; then there is no outside.
  return low >= usual.from + 1_000 ? { from: usual.from, below: Math.min(low, usual.below) } : usual
}
