import { resolve } from 'node:path'

/** The checkout's own place for throw-away data, so that two checkouts never meet. */
export const localFolder = resolve(import.meta.dirname, '../../.local')
