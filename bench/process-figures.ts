import { readFile } from 'node:fs/promises'

/** The kernel counts CPU time in ticks of 10 ms on every common Linux. */
const MS_PER_TICK = 10

/** CPU time of a process since its start, user and system, all threads, those that ended too. */
export async function readCpuMs(pid: number): Promise<number> {
  return parseCpuMs(await readFile(`/proc/${pid}/stat`, 'utf8'))
}

/** Of the text of proc(5)'s `stat`: fields 14 and 15. The program's name before them may hold spaces and brackets. */
export function parseCpuMs(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK
}

/**
 * read(2), write(2) and their kind (readv, pwrite ...) that a process has made since its start, all threads: what Node
 * does to sockets, and to wake its own threads. Waiting (epoll) is not among them.
 */
export async function readIoCalls(pid: number): Promise<number> {
  return parseIoCalls(await readFile(`/proc/${pid}/io`, 'utf8'))
}

/** Of the text of proc(5)'s `io`. @throws Error when it does not tell */
export function parseIoCalls(io: string): number {
  const [, reads, writes] = /^syscr: (\d+)\nsyscw: (\d+)$/m.exec(io) ?? []
  if (reads === undefined || writes === undefined) throw new Error(`/proc/<pid>/io does not tell: ${io}`)
  return Number(reads) + Number(writes)
}

/** What a process has in memory now. */
export async function readMemoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

export interface Memory {
  readonly residentMb: number
  /** What V8 uses of its heap, garbage included. */
  readonly heapMb: number
}

/** Of the text of the service's `GET /metrics`. @throws Error when it does not tell */
export function parseMemory(metrics: string): Memory {
  const megabytes = (name: string) => {
    const [, bytes] = new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics) ?? []
    if (bytes === undefined) throw new Error(`/metrics does not tell ${name}`)
    return Number(bytes) / 2 ** 20
  }
  return { residentMb: megabytes('process_resident_memory_bytes'), heapMb: megabytes('nodejs_heap_size_used_bytes') }
}
