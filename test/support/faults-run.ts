/** How the faults project runs: the one place that reads its environment. */
export interface FaultsRun {
  /** `FAULTS=full`: faults last as long as the issue says; otherwise as short as shows the same. */
  readonly isFull: boolean
  /** `FAULTS_SUBJECT=plain`: the yardstick is measured, and no bound is asserted. */
  readonly subject: 'service' | 'plain'
  /** `FAULTS_RECORD`: where the figures go, a JSON line each. */
  readonly recordFile: string | undefined
}

export const faultsRun: FaultsRun = {
  isFull: process.env['FAULTS'] === 'full',
  subject: process.env['FAULTS_SUBJECT'] === 'plain' ? 'plain' : 'service',
  recordFile: process.env['FAULTS_RECORD'],
}

/** A duration in ms: the in a full run, else a shorter one. */
export function lasting(fullMs: number, shortMs: number): number {
  return faultsRun.isFull ? fullMs : shortMs
}
