import { type Setting, type SettingName, type SettingProblem, settings } from './settings.ts'

/** Environment variables; the named ones are read outside the table too. */
export interface Env {
  readonly HOST?: string | undefined
  readonly NODE_ENV?: string | undefined
  readonly KUBERNETES_SERVICE_HOST?: string | undefined
  readonly DATABASE_URL_FILE?: string | undefined
  readonly DB_PASSWORD_FILE?: string | undefined
  readonly WRITE_TOKENS_FILE?: string | undefined
  readonly [name: string]: string | undefined
}
export type ReadFile = (path: string) => string
type ValueOf<Name extends SettingName> = Exclude<ReturnType<(typeof settings)[Name]['parse']>, undefined>

/** Reads settings one by one and collects what is wrong. */
export interface Reader {
  readonly problems: SettingProblem[]
  /** Whether the variable or its `_FILE` is set. */
  isSet(name: SettingName): boolean
  optional<Name extends SettingName>(name: Name): ValueOf<Name> | undefined
  /** For settings with a fallback. After a problem the answer is not used. */
  value<Name extends SettingName>(name: Name): ValueOf<Name>
  /** A file's text, now and again later. */
  file(name: string, path: string): string | undefined
  readonly readFile: ReadFile
}

export function createReader(env: Env, readFile: ReadFile): Reader {
  const problems: SettingProblem[] = []

  function file(name: string, path: string): string | undefined {
    try {
      return withoutFinalNewline(readFile(path))
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'an error'
      problems.push({ name, accepted: 'the path of a file that can be read', got: `${code} for ${quote(path)}` })
      return undefined
    }
  }

  function text(name: SettingName): string | undefined {
    const { hasFile, fallback }: Setting<unknown> = settings[name]
    const path = hasFile ? env[`${name}_FILE`] : undefined
    if (env[name] && path) {
      problems.push({ name, accepted: `set alone, or ${name}_FILE alone`, got: 'both' })
      return undefined
    }
    return path ? file(`${name}_FILE`, path) : env[name] || fallback
  }

  function optional<Name extends SettingName>(name: Name): ValueOf<Name> | undefined {
    const found = text(name)
    if (found === undefined) return undefined
    const { parse, explain, accepted, isSecret }: Setting<unknown> = settings[name]
    const value = parse(found)
    if (value === undefined) {
      const faults = explain?.(found) ?? [{ accepted, got: isSecret ? 'something else' : quote(found) }]
      problems.push(...faults.map((fault) => ({ name, ...fault })))
    }
    return value as ValueOf<Name> | undefined // The table's own parse made it.
  }

  return {
    problems,
    isSet: (name) => Boolean(env[name] || env[`${name}_FILE`]),
    optional,
    value: (name) => optional(name) as ValueOf<typeof name>,
    file,
    readFile,
  }
}

export function withoutFinalNewline(text: string): string {
  return text.replace(/\r?\n$/, '')
}

/** A value for a person to read: cut, and on one line. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}
