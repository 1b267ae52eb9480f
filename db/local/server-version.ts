/** The two families of servers. They differ in how data folders are made, in options and in error numbers. */
export type Flavour = 'mariadb' | 'mysql'

/** What a server program says about itself. */
export interface ServerVersion {
  readonly flavour: Flavour
  readonly major: number
  readonly minor: number
  readonly patch: number
}

/** The oldest series that the service is tested with. */
const oldest = {
  mariadb: { major: 10, minor: 11 },
  mysql: { major: 8, minor: 4 },
} as const

/**
 * Reads the output of `mariadbd --version` or `mysqld --version`. The program's name says nothing: Debian's `mysqld` is a
 * link to mariadbd. Undefined when the text is something else.
 */
export function parseServerVersion(text: string): ServerVersion | undefined {
  const match = /\bVer (\d+)\.(\d+)\.(\d+)(\S*)/.exec(text)
  if (match === null) return undefined
  const [, major, minor, patch, suffix] = match
  return {
    flavour: /mariadb/i.test(suffix ?? '') ? 'mariadb' : 'mysql',
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
  }
}

/** Whether the service works with this server: MariaDB from 10.11, MySQL from 8.4. */
export function isSupported(version: ServerVersion): boolean {
  const { major, minor } = oldest[version.flavour]
  return version.major > major || (version.major === major && version.minor >= minor)
}

/** For people: `MariaDB 10.11.19`. */
export function describeVersion(version: ServerVersion): string {
  return `${version.flavour === 'mariadb' ? 'MariaDB' : 'MySQL'} ${versionNumber(version)}`
}

/** `10.11.19`. */
export function versionNumber({ major, minor, patch }: ServerVersion): string {
  return `${major}.${minor}.${patch}`
}

/** The oldest supported series, for messages: `10.11`. */
export function oldestSupported(flavour: Flavour): string {
  return `${oldest[flavour].major}.${oldest[flavour].minor}`
}
