import { hash } from 'node:crypto'
import type { City, Country } from '../db/index.ts'

/** The same text can be built in SQL: `sha2(concat_ws('|', city_id, country_id, unix_timestamp(last_update), city), 256)`. */
export function cityEtag({ cityId, countryId, lastUpdate, city }: City): string {
  return strongEtag(`${cityId}|${countryId}|${lastUpdate.getTime() / 1000}|${city}`)
}

/** The same text can be built in SQL: `sha2(concat_ws('|', country_id, unix_timestamp(last_update), country), 256)`. */
export function countryEtag({ countryId, lastUpdate, country }: Country): string {
  return strongEtag(`${countryId}|${lastUpdate.getTime() / 1000}|${country}`)
}

function strongEtag(state: string): string {
  // Not SHA-1: MySQL 9.7 has no sha1() any more.
  return `"${hash('sha256', state)}"`
}

/** One member of a list of entity tags, with the commas and blanks around it; RFC 9110, 8.8.3 and 5.6.1. */
const listMember = /[\s,]*(?:W\/)?("[\x21\x23-\x7e\x80-\uffff]*")\s*(?:,|$)/y

/**
 * Whether an `If-None-Match` names this representation: `*`, or a list with the tag in it, weak or strong alike
 * (RFC 9110, 13.1.2). What is not such a list matches nothing.
 */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  let isNamed = false
  listMember.lastIndex = 0
  for (let end = 0; end < ifNoneMatch.length; end = listMember.lastIndex) {
    const member = listMember.exec(ifNoneMatch)
    if (!member) return isNamed && /^[\s,]*$/.test(ifNoneMatch.slice(end))
    isNamed ||= member[1] === etag
  }
  return isNamed
}
