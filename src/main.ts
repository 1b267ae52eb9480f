import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { systemClock as clock } from '../db/index.ts'
import { parseConfig } from './config.ts'
import { exitStatusOf } from './exit-status.ts'
import { createLifecycle } from './lifecycle.ts'
import { createLog } from './log.ts'
import { start } from './start.ts'

export type OnSignal = (name: string) => void

const environment = process.env
const projectFolder = fileURLToPath(new URL('..', import.meta.url))
const say = (line: string): void => void process.stderr.write(`${line}\n`)

/** Runs the service until it is stopped. `takeSignals` is given who handles SIGTERM and SIGINT from now on. */
export async function main(takeSignals: (onSignal: OnSignal) => void): Promise<void> {
  const config = readConfig()
  const log = createLog(config.logLevel)
  const lifecycle = createLifecycle({ clock, log, exit: (code) => process.exit(code) })
  takeSignals(lifecycle.signal)
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error) => {
      log.fatal({ err: error }, event)
      void lifecycle.stop(event, 1)
    })
  }

  const { name, version } = JSON.parse(readFileSync(`${projectFolder}/package.json`, 'utf8'))
  const versions = { name, version, node: process.versions.node, ...(config.commit && { commit: config.commit }) }
  try {
    await start({ config, lifecycle, log, clock, say, projectFolder, environment, version: versions })
  } catch (error) {
    const { code, text } = exitStatusOf(error)
    if (text !== undefined) say(text)
    else if (lifecycle.state().name === 'starting') log.fatal({ err: error }, 'could not start')
    await lifecycle.stop('could not start', code)
  }
}

function readConfig() {
  try {
    return parseConfig(environment)
  } catch (error) {
    const { code, text } = exitStatusOf(error)
    if (text === undefined) throw error
    say(text)
    return process.exit(code)
  }
}
