import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { Kept, WINDOW } from '../kept.mjs'

let told
let stored
const ns = () => told.map(({ n }) => n)
beforeEach(() => { [told, stored] = [[], []] })

function attached() {
  const kept = new Kept()
  kept.attach((name, fields) => told.push({ name, ...fields }))
  return kept
}
const tell = (kept, id) => kept.tell('message', { id }, () => stored.push(id))

test('events are numbered without a gap, whatever they are', () => {
  const kept = attached()
  kept.tell('message', { id: 'a' })
  kept.tell('receipt', { id: 'b' })
  assert.deepEqual(told, [{ name: 'message', n: 1, id: 'a' }, { name: 'receipt', n: 2, id: 'b' }])
})

test('one confirmation covers all up to its number, each is told of once', () => {
  const kept = attached()
  for (const id of ['a', 'b', 'c']) tell(kept, id)
  kept.stored(2)
  assert.deepEqual(stored, ['a', 'b'])
  kept.stored(1)
  kept.stored(3)
  assert.deepEqual(stored, ['a', 'b', 'c'])
})

test('what was not told can not be stored', () => {
  const kept = attached()
  tell(kept, 'a')
  for (const upto of [2, -1, '1', null, undefined, 0.5, Infinity]) assert.throws(() => kept.stored(upto), { code: 'bad_request' })
  assert.deepEqual(stored, [])
})

test('before there is a host everything waits', () => {
  const kept = new Kept()
  tell(kept, 'early')
  assert.equal(kept.waiting, 1)
  kept.attach((name, fields) => told.push({ name, ...fields }))
  assert.deepEqual(ns(), [1])
})

test('no more than the window is told, the rest follows in order', () => {
  const kept = attached()
  for (let number = 1; number <= WINDOW + 10; number++) tell(kept, number)
  assert.equal(told.length, WINDOW)
  kept.stored(3)
  assert.deepEqual(told.slice(WINDOW).map(({ id }) => id), [WINDOW + 1, WINDOW + 2, WINDOW + 3])
  kept.stored(WINDOW)
  assert.equal(kept.waiting, 0)
  assert.deepEqual(ns(), Array.from({ length: WINDOW + 10 }, (_, index) => index + 1))
})

test('what is forgotten before it was told takes no number, and after it calls nobody', () => {
  const kept = attached()
  const forgets = []
  for (let number = 1; number <= WINDOW + 2; number++) forgets.push(tell(kept, number))
  forgets[0]()
  forgets[WINDOW]()
  kept.stored(WINDOW)
  assert.deepEqual(told.at(-1), { name: 'message', n: WINDOW + 1, id: WINDOW + 2 })
  assert.equal(stored.includes(1), false)
  assert.equal(stored.length, WINDOW - 1)
})
