import { hash, randomUUID } from 'node:crypto'
import type { KeyedWrite } from '../db/index.ts'

/** A new key for a write and a hash of what it asks for, as the service makes them of a request without a key. */
export function createKeyedWrite(body: object): KeyedWrite {
  return { keyHash: hash('sha256', randomUUID()), requestHash: hash('sha256', JSON.stringify(body)) }
}
