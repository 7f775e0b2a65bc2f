import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Recent } from '../recent.mjs'

test('a text is known by its id, the last one counts', () => {
  const recent = new Recent()
  recent.add('A', 'old')
  recent.add('A', 'new')
  assert.equal(recent.get('A'), 'new')
  assert.equal(recent.get('B'), undefined)
})

test('the oldest are forgotten when there are too many', () => {
  const recent = new Recent()
  for (let number = 0; number < 300; number++) recent.add(`m${number}`, 'x')
  assert.equal(recent.get('m43'), undefined)
  assert.equal(recent.get('m44'), 'x')
})

test('the oldest are forgotten when they are too long together', () => {
  const recent = new Recent()
  for (let number = 0; number < 10; number++) recent.add(`m${number}`, 'x'.repeat(65_536))
  assert.deepEqual([5, 6, 9].map(number => recent.get(`m${number}`)?.length), [undefined, 65_536, 65_536])
})
