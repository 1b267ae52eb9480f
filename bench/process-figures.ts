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

/** What a process has in memory now. */
export async function readMemoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}
