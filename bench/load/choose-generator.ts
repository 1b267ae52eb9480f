import { createAutocannon } from './autocannon.ts'
import type { LoadGenerator } from './load.ts'
import { findWrk } from './wrk.ts'

/** wrk where it is installed, which takes less CPU from what is measured. @throws Error when it was asked for and is not there */
export async function chooseGenerator(wanted: 'wrk' | 'autocannon' | undefined): Promise<LoadGenerator> {
  if (wanted === 'autocannon') return createAutocannon()
  const wrk = await findWrk()
  if (wrk === undefined && wanted === 'wrk') throw new Error('wrk is not installed (Debian: wrk)')
  return wrk ?? createAutocannon()
}
