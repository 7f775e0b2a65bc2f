import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admission } from '../admission.mjs'
import { Gate } from '../gate.mjs'
import { Clock, random } from './clock.mjs'

const limits = (connectsPerSecond, burst = 1, pairings = 2) => ({ connectsPerSecond, burst, pairings })

test('the burst goes at once, the others in the order in which they came', () => {
  const admission = new Admission(limits(2, 2), 0)
  for (const key of 'abcd') admission.enqueue(key, false)
  assert.deepEqual(admission.take(0), { admitted: ['a', 'b'], waitMs: 500 })
  assert.deepEqual(admission.take(499), { admitted: [], waitMs: 1 })
  assert.deepEqual(admission.take(500), { admitted: ['c'], waitMs: 500 })
  assert.deepEqual(admission.take(1000), { admitted: ['d'], waitMs: null })
})

test('a pairing waits for a free place, and only a pairing is overtaken', () => {
  const admission = new Admission(limits(1000, 10, 1), 0)
  admission.enqueue('p1', true)
  admission.enqueue('p2', true)
  admission.enqueue('login', false)
  assert.deepEqual(admission.take(0), { admitted: ['p1', 'login'], waitMs: null })
  admission.release('p1')
  assert.deepEqual(admission.take(0).admitted, ['p2'])
})

test('who leaves the queue takes nothing along', () => {
  const admission = new Admission(limits(1), 0)
  for (const key of 'abc') admission.enqueue(key, false)
  admission.take(0)
  admission.release('b')
  assert.deepEqual(admission.take(1000).admitted, ['c'])
  assert.equal(admission.length, 0)
})

test('nobody connects at rate 0, and all go on in order when it rises', () => {
  const admission = new Admission(limits(1, 1), 0)
  admission.enqueue('a', false)
  admission.take(0)
  admission.configure(limits(0), 0)
  for (const key of 'bc') admission.enqueue(key, false)
  assert.deepEqual(admission.take(60_000), { admitted: [], waitMs: null })
  admission.configure(limits(1, 2), 60_000)
  assert.deepEqual(admission.take(62_000).admitted, ['b', 'c'])
})

test('a bucket that shrinks does not give away what it held', () => {
  const admission = new Admission(limits(1, 10), 0)
  admission.configure(limits(1, 1), 0)
  for (const key of 'abc') admission.enqueue(key, false)
  assert.deepEqual(admission.take(0).admitted, ['a'])
})

test('in no window are there more than burst + rate × time, and nobody waits for ever', () => {
  const next = random(4)
  for (let round = 0; round < 100; round++) {
    const bounds = limits(1 + Math.floor(next() * 20), 1 + Math.floor(next() * 5), 1 + Math.floor(next() * 3))
    const admission = new Admission(bounds, 0)
    const times = []
    const pairing = new Set()
    let key = 0
    for (let now = 0; now < 20_000; now += Math.floor(next() * 200)) {
      if (next() < 0.5) admission.enqueue(`k${key++}`, next() < 0.3)
      if (pairing.size > 0 && next() < 0.5) {
        const [done] = pairing
        pairing.delete(done)
        admission.release(done)
      }
      for (const admitted of admission.take(now).admitted) {
        times.push(now)
        pairing.add(admitted)
      }
      for (let first = 0; first < times.length; first++) {
        const window = (now - times[first]) / 1000
        assert.ok(times.length - first <= bounds.burst + bounds.connectsPerSecond * window + 1e-6)
      }
    }
    for (const each of pairing) admission.release(each)
    for (let now = 20_000; admission.length > 0; now += 1000) {
      assert.ok(now < 200_000, 'somebody waits for ever')
      for (const admitted of admission.take(now).admitted) admission.release(admitted)
    }
  }
})

test('the gate tells each when it is its turn', () => {
  const clock = new Clock()
  const gate = new Gate(limits(10, 1, 1), clock)
  const started = []
  const enter = (key, pairing = false) => gate.enter(key, pairing, () => started.push(key))
  assert.deepEqual([enter('a'), enter('b'), enter('c', true), enter('d', true)], [0, 1, 2, 3])
  assert.deepEqual(started, ['a'])
  clock.advance(100)
  clock.advance(100)
  assert.deepEqual(started, ['a', 'b', 'c'])
  clock.advance(1000)
  assert.deepEqual(started, ['a', 'b', 'c'], 'the one pairing at a time still works')
  gate.leave('c')
  assert.deepEqual(started, ['a', 'b', 'c', 'd'])
  assert.equal(clock.waiting, 0)
})

test('who leaves the gate before its turn is not started', () => {
  const clock = new Clock()
  const gate = new Gate(limits(1), clock)
  const started = []
  for (const key of 'abc') gate.enter(key, false, () => started.push(key))
  gate.leave('b')
  clock.advance(10_000)
  assert.deepEqual(started, ['a', 'c'])
})

test('new bounds take effect at once', () => {
  const clock = new Clock()
  const gate = new Gate(limits(0), clock)
  const started = []
  for (const key of 'ab') gate.enter(key, false, () => started.push(key))
  clock.advance(60_000)
  assert.deepEqual(started, ['a'])
  gate.configure(limits(10))
  clock.advance(100)
  assert.deepEqual(started, ['a', 'b'])
})

test('nobody is let in but by the host, while it is the host that lets in', () => {
  const clock = new Clock()
  const gate = new Gate({ ...limits(1000, 10, 1), byHost: true }, clock)
  const started = []
  const enter = (key, pairing = false) => gate.enter(key, pairing, () => started.push(key))
  assert.deepEqual([enter('a'), enter('b'), enter('p', true), enter('q', true)], [1, 2, 3, 4])
  clock.advance(60_000)
  assert.deepEqual(started, [])
  assert.equal(gate.admit('nobody'), null)
  gate.admit('b')()
  assert.equal(gate.admit('b'), null, 'once only')
  gate.admit('q')()
  gate.leave('a')
  assert.equal(gate.admit('a'), null, 'it waits no more')
  assert.deepEqual(started, ['b', 'q'])
  enter('c')
  gate.configure(limits(1, 1, 1)) // nothing was saved up meanwhile
  assert.deepEqual(started, ['b', 'q'])
  clock.advance(1000)
  assert.deepEqual(started, ['b', 'q', 'c'], 'a pairing is still at its work')
  assert.equal(gate.admit('p'), null, 'the host lets in no more')
})
