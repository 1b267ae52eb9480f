import { type Env, type Reader, withoutFinalNewline } from './setting-reader.ts'
import { settings } from './settings.ts'

/** The tokens that are valid now. Throws when they cannot be read. */
export type ReadTokens = () => readonly string[]

/** `WRITE_TOKENS`; undefined when it is not set. From a file they are read again each time: writes are rare. */
export function readWriteTokens(reader: Reader, env: Env): ReadTokens | undefined {
  const tokens = reader.optional('WRITE_TOKENS')
  const path = env.WRITE_TOKENS_FILE
  if (!tokens || !path) return tokens && (() => tokens)
  return () => {
    const found = settings.WRITE_TOKENS.parse(withoutFinalNewline(reader.readFile(path)))
    if (found) return found
    throw new Error(`WRITE_TOKENS_FILE must have ${settings.WRITE_TOKENS.accepted}`)
  }
}
