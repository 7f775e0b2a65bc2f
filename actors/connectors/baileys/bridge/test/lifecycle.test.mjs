import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lifecycle } from '../lifecycle.mjs'
import { random } from './clock.mjs'

test('an attempt goes its way and ends once', () => {
  const life = new Lifecycle()
  const attempt = life.begin()
  assert.equal(life.phase, 'queued')
  assert.equal(life.advance(attempt, 'connecting'), true)
  assert.equal(life.advance(attempt, 'open'), true)
  assert.equal(life.end(attempt, 'first'), true)
  assert.equal(life.phase, 'open')
  assert.equal(life.ending, true)
  assert.equal(life.end(attempt, 'second'), false)
  assert.equal(life.finish(attempt), 'first')
  assert.equal(life.finish(attempt), null)
  assert.equal(life.phase, 'idle')
  assert.equal(life.attempt, 0)
})

test('a second attempt is refused until the first is over', () => {
  const life = new Lifecycle()
  const attempt = life.begin()
  assert.throws(() => life.begin(), { code: 'busy' })
  life.end(attempt, 'cause')
  assert.throws(() => life.begin(), { code: 'busy' })
  life.finish(attempt)
  assert.notEqual(life.begin(), attempt)
})

test('what comes late for an attempt that ended changes nothing', () => {
  const life = new Lifecycle()
  const old = life.begin()
  life.end(old, 'cause')
  assert.equal(life.advance(old, 'connecting'), false)
  life.finish(old)
  const attempt = life.begin()
  assert.equal(life.advance(old, 'connecting'), false)
  assert.equal(life.end(old, 'cause'), false)
  assert.equal(life.finish(old), null)
  assert.equal(life.isLive(attempt), true)
  assert.equal(life.phase, 'queued')
})

test('there is no way from idle, back, or from pairing to open', () => {
  const life = new Lifecycle()
  assert.equal(life.advance(0, 'connecting'), false)
  assert.equal(life.end(0, 'cause'), false)
  const attempt = life.begin()
  assert.throws(() => life.advance(attempt, 'open'))
  life.advance(attempt, 'connecting')
  life.advance(attempt, 'pairing')
  assert.throws(() => life.advance(attempt, 'open'))
  assert.throws(() => life.advance(attempt, 'connecting'))
})

test('whatever happens, each attempt gives exactly one cause, the first', () => {
  const next = random(3)
  const pick = list => list[Math.floor(next() * list.length)]
  for (let round = 0; round < 300; round++) {
    const life = new Lifecycle()
    const begun = [0]
    const causes = new Map()
    const finished = new Map()
    for (let step = 0; step < 60; step++) {
      const attempt = pick(begun)
      const cause = `cause ${step}`
      const action = pick(['begin', 'advance', 'end', 'finish'])
      if (action === 'begin' && life.phase === 'idle') begun.push(life.begin())
      if (action === 'advance') try { life.advance(attempt, pick(['connecting', 'pairing', 'open'])) } catch { /* no such way */ }
      if (action === 'end' && life.end(attempt, cause)) causes.set(attempt, cause)
      if (action === 'finish') {
        const given = life.finish(attempt)
        if (given === null) continue
        assert.equal(finished.has(attempt), false)
        finished.set(attempt, given)
      }
    }
    for (const [attempt, cause] of finished) assert.equal(cause, causes.get(attempt))
    const unfinished = begun.length - 1 - finished.size
    assert.equal(unfinished, life.phase === 'idle' ? 0 : 1)
  }
})
