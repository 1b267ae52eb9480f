import { type Figures, measure } from './measure.ts'
import type { RunDeps } from './run.ts'
import type { RunningStack } from './stack.ts'
import { type Totals, totalsOf } from './summary.ts'
import type { Workload } from './workloads.ts'

/** One way to run the load. */
export interface Point {
  /** `64 connections`. */
  readonly at: string
  /** For people. */
  readonly subject: string
  readonly stacks: readonly RunningStack[]
  readonly workload: Workload
  readonly connections: number
}

/** What all slices of a point found. */
export interface ScaleCell extends Totals, Pick<Point, 'at' | 'subject'> {
  readonly workload: string
}

/** Measures all points, interleaved: every round holds one slice of each. Points that an interrupted run left out are missing. */
export async function measurePoints(points: readonly Point[], deps: RunDeps): Promise<readonly ScaleCell[]> {
  const { options, generator, server, progress, stopping } = deps
  const found = new Map<Point, Figures[]>(points.map((point) => [point, []]))
  progress.begin(options.rounds)
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const point of points) {
      if (stopping.aborted) break
      const figures = await measure({ ...point, generator, server, seconds: options.seconds })
      found.get(point)?.push(figures)
      if (figures.errorText) progress.say(`${point.at}, ${point.subject}: errors: ${figures.errorText}`)
    }
    progress.step(`round ${round}/${options.rounds}`)
  }
  return [...found].flatMap(([{ at, subject, workload }, figures]) =>
    figures.length === 0 ? [] : { at, subject, workload: workload.title, ...totalsOf(figures) },
  )
}
