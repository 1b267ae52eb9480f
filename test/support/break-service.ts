// Loaded into the real service before it starts: breaks it on SIGUSR2, in the way of BREAK, as a bug would.
import { Lease } from '../../db/lease.ts'

const breakages: Readonly<Record<string, () => void>> = {
  /** Whoever gets a connection keeps it. */
  leak: () => {
    Lease.prototype.release = () => {}
  },
  /** A loop that never yields. */
  loop: () => spin(),
  throw: () => {
    throw new Error('nobody catches this')
  },
}

function spin(): void {
  for (;;);
}

process.on('SIGUSR2', () => breakages[process.env['BREAK'] ?? '']?.())
