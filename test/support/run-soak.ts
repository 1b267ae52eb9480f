// `npm run soak -- --minutes 3 --seed N`: mixed faults under mixed reads and writes; TEST_DATABASE chooses the server.
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

const project = resolve(import.meta.dirname, '../..')
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '3' }, seed: { type: 'string' } },
})
if (!(Number(values.minutes) > 0) || (values.seed !== undefined && !/^\d{1,10}$/.test(values.seed))) {
  process.stderr.write('usage: npm run soak [-- --minutes M] [--seed N]\n')
  process.exit(64)
}
const vitest = resolve(project, 'node_modules/vitest/vitest.mjs')
const child = spawn(process.execPath, [vitest, 'run', '--project', 'faults', 'test/faults/service-soak.test.ts'], {
  cwd: project,
  stdio: 'inherit',
  env: {
    ...process.env,
    FAULTS: 'full', // what is timed, and the share of successes, is judged
    SOAK_MINUTES: values.minutes,
    ...(values.seed !== undefined && { SOAK_SEED: values.seed }),
  },
})
child.on('exit', (code) => {
  process.exitCode = code ?? 1
})
