// Process entry: `npm start`. Listens to signals before it loads the rest: a container's first process ignores them
// otherwise while it loads, and is killed at the end of its grace period.
import type { OnSignal } from './main.ts'

let onSignal: OnSignal = () => process.exit(0) // nothing was begun
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => onSignal(name))

const { main } = await import('./main.ts')
await main((handler) => {
  onSignal = handler
})
