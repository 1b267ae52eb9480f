import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { evictReasons } from '../../db/pool/stats.ts'
import { deployFolder, manifestOf } from '../support/manifests.ts'

/** What the paragraphs of the manual begin with: `**StillHereSlow**: ...`, `**idleTimeout**, **maxLifetime**: ...`. */
const paragraphs = readFileSync(join(deployFolder, '../docs/operations.md'), 'utf8')
  .split('\n')
  .flatMap((line) => /^(\*\*\w+\*\*(?:, \*\*\w+\*\*)*):/.exec(line)?.[1]?.match(/\w+/g) ?? [])

test('the manual has a paragraph for each alert and for each reason of an eviction, and for no other', () => {
  const { groups } = manifestOf('PrometheusRule').spec
  const alerts = groups.flatMap(({ rules }: { rules: { alert: string }[] }) => rules.map(({ alert }) => alert))
  assert.deepEqual(paragraphs.toSorted(), [...alerts, ...evictReasons, '507'].toSorted())
})
