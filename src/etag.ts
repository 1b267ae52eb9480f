import { hash } from 'node:crypto'
import type { City, Country } from '../db/index.ts'

/** Of the same text as `stateHash` in the city's writes, which the server makes. */
export function cityEtag({ cityId, countryId, lastUpdate, city }: City): string {
  return strongEtag(`${cityId}|${countryId}|${lastUpdate.getTime() / 1000}|${city}`)
}

export function countryEtag({ countryId, lastUpdate, country }: Country): string {
  return strongEtag(`${countryId}|${lastUpdate.getTime() / 1000}|${country}`)
}

function strongEtag(state: string): string {
  // Not SHA-1: MySQL 9.7 has no sha1() any more.
  return `"${hash('sha256', state)}"`
}

/**
 * The states that an `If-Match` allows a row to be in, as they stand in its ETags: undefined for any, an empty list for none.
 * Compared strongly (RFC 9110, 13.1.1), so weak tags match nothing, and neither does what is no list of tags.
 */
export function statesOfIfMatch(ifMatch: string | undefined): readonly string[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined
  // What is no hash of ours can match no row; the database's collation would take upper case for lower.
  return (parseTags(ifMatch) ?? []).flatMap((member) => /^"([0-9a-f]{64})"$/.exec(member)?.[1] ?? [])
}

/** One member of a list of entity tags, with the commas and blanks around it; RFC 9110, 8.8.3 and 5.6.1. */
const listMember = /[\s,]*((?:W\/)?"[\x21\x23-\x7e\x80-\uffff]*")\s*(?:,|$)/y

/** The members of a list of entity tags; undefined when it is none. */
function parseTags(header: string): readonly string[] | undefined {
  const members: string[] = []
  listMember.lastIndex = 0
  for (let end = 0; end < header.length; end = listMember.lastIndex) {
    const [, member] = listMember.exec(header) ?? []
    if (member !== undefined) members.push(member)
    else return members.length > 0 && /^[\s,]*$/.test(header.slice(end)) ? members : undefined
  }
  return members
}

/**
 * Whether an `If-None-Match` names this representation: `*`, or a list with the tag in it, weak or strong alike
 * (RFC 9110, 13.1.2). What is not such a list matches nothing.
 */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  return parseTags(ifNoneMatch)?.some((member) => member.replace(/^W\//, '') === etag) ?? false
}
