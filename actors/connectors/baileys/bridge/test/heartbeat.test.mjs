import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Heartbeat } from '../heartbeat.mjs'
import { PAUSE_MS, limit } from '../timers.mjs'
import { Clock } from './clock.mjs'

function beating() {
  const clock = new Clock()
  const pings = []
  const seen = []
  const on = { rtt: ms => seen.push(ms), missed: () => seen.push('missed') }
  const heartbeat = new Heartbeat({ ping: answered => pings.push(answered), on, intervalMs: 10_000, timeoutMs: 8000, time: clock })
  heartbeat.start()
  return { clock, pings, seen, heartbeat }
}

test('each answered ping gives its round-trip time', () => {
  const { clock, pings, seen } = beating()
  clock.advance(10_000)
  clock.advance(42)
  pings[0]()
  clock.advance(10_000)
  clock.advance(7999)
  pings[1]()
  assert.deepEqual(seen, [42, 7999])
})

test('a peer that does not answer is noticed within interval + timeout, once', () => {
  const { clock, pings, seen } = beating()
  clock.advance(17_999)
  assert.deepEqual(seen, [])
  clock.advance(1)
  assert.deepEqual(seen, ['missed'])
  pings[0]()
  clock.advance(100_000)
  assert.deepEqual(seen, ['missed'])
  assert.equal(clock.waiting, 0)
})

test('an answer that comes twice or for an old ping counts for nothing', () => {
  const { clock, pings, seen } = beating()
  clock.advance(10_000)
  pings[0]()
  pings[0]()
  clock.advance(10_000)
  pings[0]()
  clock.advance(5)
  pings[1]()
  assert.deepEqual(seen, [0, 5])
})

test('nothing happens after stop', () => {
  const { clock, pings, seen, heartbeat } = beating()
  clock.advance(10_000)
  heartbeat.stop()
  pings[0]()
  clock.advance(100_000)
  assert.deepEqual(seen, [])
  assert.equal(clock.waiting, 0)
})

test('a pause of the process is not held against the peer', () => {
  const { clock, pings, seen } = beating()
  clock.advance(10_000)
  clock.pause(60_000)
  assert.deepEqual(seen, [])
  clock.advance(3)
  pings[0]()
  assert.equal(seen.length, 1)
  assert.notEqual(seen[0], 'missed')
})

test('after a pause the peer has the whole limit once more, and no longer', () => {
  const { clock, seen } = beating()
  clock.advance(10_000)
  clock.pause(60_000)
  clock.advance(7999)
  assert.deepEqual(seen, [])
  clock.advance(1)
  assert.deepEqual(seen, ['missed'])
})

test('a limit that fires a little late has expired', () => {
  const clock = new Clock()
  const seen = []
  limit(100, () => seen.push('expired'), clock)
  clock.pause(100 + PAUSE_MS)
  assert.deepEqual(seen, ['expired'])
})

test('a limit can be cancelled, also after a pause', () => {
  const clock = new Clock()
  const cancel = limit(100, assert.fail, clock)
  clock.pause(100 + PAUSE_MS + 1)
  cancel()
  clock.advance(1000)
  assert.equal(clock.waiting, 0)
})
