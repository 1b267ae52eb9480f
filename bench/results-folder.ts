import { resolve } from 'node:path'

/** Where runs leave their results and what they build; not in git. */
export const resultsFolder = resolve(import.meta.dirname, 'results')
