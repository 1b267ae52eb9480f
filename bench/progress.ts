/** Lines on standard error while a run goes on. */
export interface Progress {
  readonly say: (line: string) => void
  /** So many steps are to come. */
  readonly begin: (steps: number) => void
  /** One is done; says how long the rest will take. */
  readonly step: (line: string) => void
}

export function createProgress(write: (text: string) => void): Progress {
  let [startedMs, total, done] = [0, 0, 0]
  return {
    say: (line) => write(`${line}\n`),
    begin: (steps) => {
      ;[startedMs, total, done] = [performance.now(), steps, 0]
    },
    step: (line) => {
      done += 1
      const leftMs = ((performance.now() - startedMs) / done) * (total - done)
      write(`[${done}/${total}, ${describeLeft(leftMs)}] ${line}\n`)
    },
  }
}

function describeLeft(ms: number): string {
  return ms < 90_000 ? `${Math.ceil(ms / 1000)} s left` : `${Math.round(ms / 60_000)} min left`
}
