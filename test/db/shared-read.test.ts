import assert from 'node:assert/strict'
import { test } from 'vitest'
import { Scope } from '../../db/scope.ts'
import { SharedReads } from '../../db/shared-read.ts'
import { createManualClock } from '../src/manual-clock.ts'

function open(maxBatch?: number) {
  const clock = createManualClock()
  const reads: { readonly asker: string; readonly scope: Scope | undefined; readonly answer: () => void }[] = []
  let current: Scope | undefined
  const shared = new SharedReads({
    clock,
    maxBatch,
    currentScope: () => current,
    runInScope(scope, task) {
      current = scope
      try {
        return task()
      } finally {
        current = undefined
      }
    },
    afterPoll: setImmediate,
  })
  /** Resolves with the name of who asked for the read that it got. */
  function ask(question: string, asker: string, scope?: Scope): Promise<string> {
    current = scope
    try {
      return shared.ask(question, () => {
        const inScope = current
        return new Promise((resolve) => reads.push({ asker, scope: inScope, answer: () => resolve(asker) }))
      })
    } finally {
      current = undefined
    }
  }
  return { clock, reads, ask }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('who asks the same in the same turn shares a read; who asks something else has its own', async () => {
  const { reads, ask } = open()
  const answers = Promise.all([ask('cities', 'a'), ask('countries', 'b'), ask('cities', 'c')])
  assert.equal(reads.length, 0)
  await nextTurn()
  assert.deepEqual(
    reads.map(({ asker }) => asker),
    ['a', 'b'],
  )
  for (const { answer } of reads) answer()
  assert.deepEqual(await answers, ['a', 'b', 'a'])
})

test('a read that has begun is not for those who ask later', async () => {
  const { reads, ask } = open()
  const first = ask('cities', 'a')
  await nextTurn()
  const second = ask('cities', 'b')
  await nextTurn()
  for (const { answer } of reads) answer()
  assert.deepEqual(await Promise.all([first, second]), ['a', 'b'])
})

test('a read goes on while one of those who share it is there, in a scope that is none of theirs', async () => {
  const { clock, reads, ask } = open()
  const [leaver, stayer] = [new Scope(clock, 1000), new Scope(clock, 1000)]
  const [left, stayed] = [ask('cities', 'a', leaver), ask('cities', 'b', stayer)]
  await nextTurn()
  const { scope, answer } = reads[0] ?? assert.fail('nothing is read')
  leaver.abort(new Error('left'))
  await assert.rejects(left, /left/)
  assert.equal(scope?.reason, undefined)
  answer()
  assert.equal(await stayed, 'a')
})

test('a failure is for all who share the read, and is not met once more for each', async () => {
  const { clock } = open()
  const shared = new SharedReads({
    clock,
    currentScope: () => undefined,
    runInScope: (_scope, task) => task(),
    afterPoll: setImmediate,
  })
  let runs = 0
  const fail = async () => {
    runs += 1
    throw Object.assign(new Error('refused'), { errno: 1205 })
  }
  const answers = await Promise.allSettled([shared.ask('cities', fail), shared.ask('cities', fail)])
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.equal(runs, 1)
})

test('with one caller a read nothing is shared', async () => {
  const { reads, ask } = open(1)
  const answers = Promise.all([ask('cities', 'a'), ask('cities', 'b')])
  for (const { answer } of reads) answer()
  assert.deepEqual(await answers, ['a', 'b'])
})

test('answers are right when more questions come than are remembered', async () => {
  const { reads, ask } = open()
  const questions = Array.from({ length: 250 }, (_, place) => `question ${place}`)
  const answers = Promise.all(questions.map((question) => ask(question, question)))
  await nextTurn()
  for (const { answer } of reads) answer()
  assert.deepEqual(await answers, questions)
})
