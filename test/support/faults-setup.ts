import type { TestProject } from 'vitest/node'
import { chooseServerKind } from './choose-server-kind.ts'
import { parseTestSettings } from './test-database-setting.ts'

/** Run once for the faults project: only decides where servers come from, for each file starts its own. */
export async function setup(project: TestProject): Promise<void> {
  const say = (line: string) => console.info(`[faults] ${line}`)
  const settings = parseTestSettings(process.env)
  const kind = await chooseServerKind(settings, say)
  say(
    kind.name === 'docker'
      ? `each file starts its own ${kind.image} in Docker`
      : 'each file starts its own local server',
  )
  project.provide('serverKind', kind)
}
