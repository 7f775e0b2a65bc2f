import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { Kept, MOST_LOOSE, WINDOW } from '../kept.mjs'

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

test('what is forgotten waits no more', () => {
  const kept = attached()
  for (let number = 1; number <= WINDOW; number++) tell(kept, number)
  const forgets = Array.from({ length: 100 }, (_, number) => tell(kept, `late-${number}`))
  for (const forget of forgets) forget()
  assert.equal(kept.waiting, 0)
  kept.stored(WINDOW)
  assert.equal(told.length, WINDOW)
})

test('what nobody waits for is told in its order, and dropped when too much of it waits', () => {
  const kept = attached()
  for (let number = 1; number <= WINDOW; number++) tell(kept, number)
  const taken = Array.from({ length: MOST_LOOSE + 50 }, (_, number) => kept.tellLoosely('undecryptable', { id: `loose-${number}` }))
  assert.equal(taken.filter(Boolean).length, MOST_LOOSE)
  assert.equal(taken.lastIndexOf(true), MOST_LOOSE - 1)
  tell(kept, 'behind') // a message waits for its word, and is never dropped
  assert.equal(kept.waiting, MOST_LOOSE + 1)
  kept.stored(3)
  assert.deepEqual(told.slice(WINDOW).map(({ id }) => id), ['loose-0', 'loose-1', 'loose-2'])
  assert.equal(kept.tellLoosely('undecryptable', { id: 'again' }), true, 'there is room again')
  kept.stored(told.length)
  kept.stored(told.length)
  assert.deepEqual(told.slice(-2).map(({ id }) => id), ['behind', 'again'])
  assert.deepEqual(ns(), Array.from({ length: WINDOW + MOST_LOOSE + 2 }, (_, index) => index + 1))
})

test('that something is dropped is told once, until nothing of it waits', () => {
  let drops = 0
  const kept = new Kept(() => drops++)
  kept.attach((name, fields) => told.push({ name, ...fields }))
  const storm = () => { for (let number = 0; number < WINDOW + MOST_LOOSE + 10; number++) kept.tellLoosely('undecryptable', {}) }
  storm()
  assert.equal(drops, 1)
  kept.stored(1)
  storm()
  assert.equal(drops, 1, 'one more place is no end of it')
  kept.stored(told.length)
  kept.stored(told.length)
  assert.equal(kept.waiting, 0)
  storm()
  assert.equal(drops, 2)
})
