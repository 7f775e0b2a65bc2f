import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANSWER_MS, Recent } from '../recent.mjs'
import { Clock } from './clock.mjs'

test('a text is known by its id, the last one counts', () => {
  const recent = new Recent(() => {})
  recent.add('A', 'old')
  recent.add('A', 'new')
  assert.equal(recent.get('A'), 'new')
  assert.equal(recent.get('B'), undefined)
})

test('the oldest are forgotten when there are too many', () => {
  const recent = new Recent(() => {})
  for (let number = 0; number < 300; number++) recent.add(`m${number}`, 'x')
  assert.equal(recent.get('m43'), undefined)
  assert.equal(recent.get('m44'), 'x')
})

test('the oldest are forgotten when they are too long together', () => {
  const recent = new Recent(() => {})
  for (let number = 0; number < 10; number++) recent.add(`m${number}`, 'x'.repeat(65_536))
  assert.deepEqual([5, 6, 9].map(number => recent.get(`m${number}`)?.length), [undefined, 65_536, 65_536])
})

test('what is cleared is gone, and leaves its room', () => {
  const recent = new Recent(() => {})
  for (let number = 0; number < 4; number++) recent.add(`m${number}`, 'x'.repeat(65_536))
  recent.clear()
  assert.equal(recent.get('m3'), undefined)
  for (let number = 0; number < 4; number++) recent.add(`n${number}`, 'x'.repeat(65_536))
  assert.equal(recent.get('n0')?.length, 65_536)
})

test('what is not known is asked of the host, once for all who want it', async () => {
  const asked = []
  const recent = new Recent(messageId => asked.push(messageId), new Clock())
  const [first, second] = [recent.find('A'), recent.find('A')]
  assert.deepEqual(asked, ['A'])
  recent.answered('A', 'hello')
  await Promise.all([first, second])
  assert.equal(recent.get('A'), 'hello')
  await recent.find('A')
  assert.deepEqual(asked, ['A'])
})

test('what the host does not know either is found to be unknown', async () => {
  const recent = new Recent(() => {}, new Clock())
  const finding = recent.find('A')
  recent.answered('A', null)
  await finding
  assert.equal(recent.get('A'), undefined)
  recent.answered('B', null) // nobody waits for it
})

test('a host that says nothing is asked again at the next request', async () => {
  const asked = []
  const clock = new Clock()
  const recent = new Recent(messageId => asked.push(messageId), clock)
  const finding = recent.find('A')
  clock.advance(ANSWER_MS)
  await assert.rejects(finding, { code: 'closed' })
  const again = recent.find('A')
  recent.answered('A', 'late')
  await again
  assert.deepEqual(asked, ['A', 'A'])
})
