import { readCityRows } from './city-rows.ts'
import { compare } from './compare.ts'
import { compareJson, describeCompare, publishCompare, renderCharts } from './compare-report.ts'
import { createMigratedSchema } from './database.ts'
import { installPeers } from './install-peers.ts'
import type { RunDeps, RunResult } from './run.ts'
import { chooseStacks, findPeers, stackOfCheckout } from './stacks.ts'

/** All stacks under all loads. */
export async function runCompare(deps: RunDeps): Promise<RunResult> {
  const { options, setup, progress } = deps
  const peers = options.hasPeers ? await findPeers(progress.say) : []
  const other = options.against ? [await stackOfCheckout(options.against)] : []
  const stacks = [...chooseStacks(options.modes, peers), ...other]
  if (options.hasPeers) await installPeers(progress.say)
  const cities = await readCityRows()
  const schema = await createMigratedSchema(deps.server)
  try {
    const slices = await compare({ ...deps, schema, stacks, cities })
    const titles = stacks.map(({ name, title }) => ({ name, title }))
    const { seconds, rounds } = options
    const run = { setup, seconds, rounds, stacks: titles, slices, cities }
    const charts = await renderCharts(run)
    return {
      text: describeCompare(run),
      files: new Map([
        ['compare.json', compareJson(run)],
        ...[...charts].map(([theme, svg]) => [`compare-${theme}.svg`, svg] as const),
      ]),
      errors: slices.reduce((total, { errors }) => total + errors, 0),
      publish: () => publishCompare(run),
    }
  } finally {
    await schema.drop()
  }
}
