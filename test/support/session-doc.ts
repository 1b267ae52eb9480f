// `node test/support/session-doc.ts` writes docs/session-variables.md, which a test compares with the code.
import { writeFileSync } from 'node:fs'
import {
  type PerFlavour,
  type SessionValue,
  type SessionVariable,
  sessionVariables,
} from '../../db/session-variables.ts'
import { leftToTheServer } from './turned-variables.ts'

export const sessionDoc = new URL('../../docs/session-variables.md', import.meta.url)

const variables: readonly (readonly [string, SessionVariable])[] = Object.entries(sessionVariables)

export function renderSessionDoc(): string {
  return `# What a session is
Written by \`node test/support/session-doc.ts\` out of the lists that the code and the tests use.

The pool itself always sets \`autocommit = 1\`, \`completion_type = 0\` and \`NAMES utf8mb4\`. Each of the following may be set by an
ordinary user, and is what the option \`session\` of the dialect takes; \`strictSession\` has them all, and the service uses it.
\`-\` is a server without it; a version is the first one in which it is set.

| variable | strict | MariaDB | MySQL | what another value changes |
| --- | --- | --- | --- | --- |
${variables.map(toRow).join('\n')}

## Left to the server
What else an ordinary user may set on MariaDB 10.11 and MySQL 9.7, and why it is nobody's choice here. What takes a right more
(on MySQL \`innodb_strict_mode\`, \`sql_require_primary_key\`, \`sql_generate_invisible_primary_key\`, \`sql_log_bin\`,
\`low_priority_updates\` and more) is the operator's.

${Object.entries(leftToTheServer)
  .map(([reason, names]) => `- ${reason}: ${names.map((name) => `\`${name}\``).join(', ')}`)
  .join('\n')}
`
}

function toRow([name, { since = {}, strict, why }]: readonly [string, SessionVariable]): string {
  return `| \`${name}\` | ${toText(strict)} | ${toVersion(since.mariadb)} | ${toVersion(since.mysql)} | ${why} |`
}

function toText(value: SessionValue | PerFlavour): string {
  if (typeof value === 'object') return `\`${value.mariadb}\`, MySQL \`${value.mysql}\``
  return value === '' ? 'empty' : `\`${value}\``
}

function toVersion(since: number | 'none' | undefined): string {
  if (since === undefined) return 'all'
  if (since === 'none') return '-'
  return [Math.floor(since / 10_000), Math.floor(since / 100) % 100, since % 100].join('.')
}

if (import.meta.main) writeFileSync(sessionDoc, renderSessionDoc())
