import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import '../quiet.mjs'
import '../isolation.mjs'
import { PLACEHOLDER_MAX_AGE_SECONDS } from '@whiskeysockets/baileys'
import { ProtocolError } from '../errors.mjs'
import { FIRST_MS, LONGEST_MS, MOST, Placeholders, isPlaceholder } from '../placeholders.mjs'
import { Clock } from './clock.mjs'

const ME = { id: '15550001:1@s.whatsapp.net', lid: '9001:1@lid' }
const CONTACT = '15550002@s.whatsapp.net'
const NOW = 1_700_000_000
const UNAVAILABLE = { tag: 'unavailable', attrs: {} }
const turn = () => new Promise(resolve => setImmediate(resolve))
let asked
let steps
let clock
let now
let placeholders

beforeEach(() => {
  [asked, steps, clock, now] = [[], [], new Clock(), NOW]
  const ask = (key, data) => new Promise((resolve, reject) => { // as Baileys does
    if (placeholders.cache.get(key.id)) return resolve(undefined)
    placeholders.cache.set(key.id, data)
    asked.push({ key, data, resolve, reject })
  })
  placeholders = new Placeholders({ me: () => ME, ask, now: () => now, time: clock })
})

const stanza = (id, content = [UNAVAILABLE], attrs = {}) => ({ tag: 'message', attrs: { id, from: CONTACT, t: String(NOW), notify: 'Ann', ...attrs }, content })
/** Baileys: asks unless somebody has done so, and acknowledges at once. */
const handle = async ({ attrs: { id } }) => {
  await turn()
  steps.push(placeholders.cache.get(id) ? 'acknowledged' : 'asked again')
}

test('a message without content is asked for, then acknowledged', async () => {
  const handling = placeholders.message(stanza('A'), handle)
  await turn()
  assert.deepEqual(steps, [])
  const [{ key, data, resolve }] = asked
  assert.deepEqual(key, { remoteJid: CONTACT, fromMe: false, id: 'A', participant: undefined })
  assert.deepEqual([data.key.id, data.messageTimestamp, data.pushName], ['A', NOW, 'Ann'])
  resolve('REQUEST')
  await handling
  assert.deepEqual(steps, ['acknowledged'])
  assert.equal(placeholders.cache.get('A'), data, 'it is there for the answer')
})

test('one whose answer came before the acknowledgement is not asked for again', async () => {
  const handling = placeholders.message(stanza('A'), handle)
  placeholders.cache.del('A') // what Baileys does with the answer
  asked[0].resolve('RESOLVED')
  await handling
  assert.deepEqual([asked.length, steps], [1, ['acknowledged']])
  assert.equal(placeholders.cache.get('A'), false)
})

test('one of the time before the login is Baileys\' to handle at once, too', async () => {
  const queue = []
  const baileys = received => (received.attrs.offline ? void queue.push(received) : handle(received))
  const handling = placeholders.message(stanza('A', [UNAVAILABLE], { offline: '0' }), baileys)
  placeholders.cache.del('A') // the answer came first
  asked[0].resolve('REQUEST')
  await handling
  for (const received of queue) await handle(received)
  assert.deepEqual(steps, ['acknowledged'])
})

test('one that comes again meanwhile waits for the same request', async () => {
  const both = ['first', 'again'].map(name => placeholders.message(stanza('A'), async () => {
    steps.push(name)
    await turn()
    if (name === 'first') placeholders.cache.del('A') // the answer is there
    steps.push(Boolean(placeholders.cache.get('A')))
    if (name === 'again') await turn()
  }))
  await turn()
  assert.deepEqual([asked.length, steps], [1, []])
  asked[0].resolve('REQUEST')
  await Promise.all(both)
  assert.deepEqual([asked.length, steps], [1, ['first', 'again', true, true]])
  assert.equal(placeholders.cache.get('A'), false)
  const lost = [1, 2].map(() => placeholders.message(stanza('B'), handle))
  asked[1].reject(new ProtocolError('closed', 'the connection is over'))
  for (const each of lost) await assert.rejects(each, { code: 'closed' })
})

test('one that could not be asked for is not acknowledged', async () => {
  const lost = placeholders.message(stanza('A'), handle)
  asked[0].reject(new ProtocolError('closed', 'the connection is over'))
  await assert.rejects(lost, { code: 'closed' })
  assert.deepEqual([steps, placeholders.cache.get('A'), clock.waiting], [[], false, 0])
})

test('one whose request failed is asked for again, with growing pauses, while the connection lives', async () => {
  const handling = placeholders.message(stanza('A'), handle)
  const again = placeholders.message(stanza('A'), handle)
  for (const pause of [FIRST_MS, 2 * FIRST_MS, 4 * FIRST_MS]) {
    asked.at(-1).reject(new Error('no session with the phone'))
    await turn()
    const { length } = asked
    clock.advance(pause - 1)
    await turn()
    assert.deepEqual([asked.length, placeholders.cache.get('A')], [length, false])
    clock.advance(1)
    await turn()
    assert.equal(asked.length, length + 1)
  }
  assert.deepEqual(steps, [])
  asked.at(-1).resolve('REQUEST')
  await Promise.all([handling, again])
  assert.deepEqual([steps, clock.waiting], [['acknowledged', 'acknowledged'], 0])
})

test('one that grew too old while it was asked for is Baileys\' to refuse', async () => {
  const handling = placeholders.message(stanza('A'), async () => steps.push('handled'))
  asked[0].reject(new Error('no session with the phone'))
  await turn()
  now += PLACEHOLDER_MAX_AGE_SECONDS + 1
  clock.advance(LONGEST_MS)
  await handling
  assert.deepEqual([asked.length, steps], [1, ['handled']])
})

test('nobody is asked any more once the connection is over', async () => {
  const [pausing, asking] = ['A', 'B'].map(id => placeholders.message(stanza(id), handle))
  asked[0].reject(new Error('no session with the phone'))
  await turn()
  assert.equal(clock.waiting, 1)
  placeholders.close()
  await assert.rejects(pausing, { code: 'closed' })
  asked[1].reject(new Error('timed out'))
  await assert.rejects(asking, { code: 'closed' })
  assert.deepEqual([asked.length, steps, clock.waiting], [2, [], 0])
})

test('what waits to be asked for again is bounded: the others stay unacknowledged', async () => {
  const all = Array.from({ length: MOST + 1 }, (_, number) => placeholders.message(stanza(`M${number}`), handle))
  for (const { reject } of asked) reject(new Error('no session with the phone'))
  await all.at(-1)
  assert.deepEqual([clock.waiting, steps], [MOST, []])
  placeholders.close()
  await Promise.allSettled(all)
})

test('what Baileys asks nobody for is handled at once', async () => {
  const others = [
    stanza('A', [{ tag: 'enc', attrs: { type: 'msg' }, content: new Uint8Array(1) }]),
    stanza('A', [UNAVAILABLE], { category: 'peer' }),
    stanza('A', [UNAVAILABLE], { t: String(NOW - PLACEHOLDER_MAX_AGE_SECONDS - 1) }),
    stanza('A', [{ tag: 'unavailable', attrs: { type: 'view_once_unavailable_fanout' } }]),
    stanza('A', [UNAVAILABLE], { from: undefined })
  ]
  for (const other of others) await placeholders.message(other, async () => steps.push('handled'))
  assert.deepEqual([asked.length, steps.length], [0, others.length])
  assert.equal(isPlaceholder(stanza('A', undefined), NOW), true)
})
