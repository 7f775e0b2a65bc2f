import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BadStart, readAdmission, readOptions, readStart } from '../options.mjs'

const good = {
  protocol: 1, connector: 'baileys', socket: '/run/c.sock', vault: '/run/v.sock', host: 'shard-0', options: {},
  admission: { connectsPerSecond: 5, burst: 1, pairings: 2 }
}
const line = changes => JSON.stringify({ ...good, ...changes })

test('a start line is read, with defaults', () => {
  const start = readStart(line({}))
  assert.equal(start.socket, '/run/c.sock')
  assert.deepEqual(start.admission, { ...good.admission, byHost: false })
  assert.equal(start.options.heartbeatMs, 10_000)
  assert.equal(start.options.noiseRootKey, null)
})

test('options of other connectors are not looked at', () => {
  assert.equal('seed' in readOptions({ seed: 1 }), false)
})

for (const [name, changes] of Object.entries({
  'another protocol': { protocol: 2 }, 'another connector': { connector: 'simulator' }, 'no socket': { socket: '' }, 'a path that is too long': { vault: `/${'x'.repeat(107)}` },
  'options that are a list': { options: [] }, 'a heartbeat of 0': { options: { heartbeatMs: 0 } }, 'a heartbeat as text': { options: { heartbeatMs: '1' } },
  'an http address': { options: { websocketUrl: 'http://x' } }, 'half a key': { options: { noiseRootKey: 'ab' } }, 'half a version': { options: { clientVersion: [2, 3000] } },
  'a negative rate': { admission: { ...good.admission, connectsPerSecond: -1 } }, 'no burst': { admission: { ...good.admission, burst: 0 } }, 'half a host': { admission: { ...good.admission, byHost: 1 } }, 'half a pairing': { admission: { ...good.admission, pairings: 0.5 } }
})) test(`refused: ${name}`, () => assert.throws(() => readStart(line(changes)), BadStart))

for (const text of ['', '{', 'null', '[]', '7']) test(`not a start line: ${JSON.stringify(text)}`, () => assert.throws(() => readStart(text), BadStart))

test('bounds of admission have no defaults of their own', () => {
  assert.throws(() => readAdmission({ burst: 1, pairings: 1 }), BadStart)
  assert.deepEqual(readAdmission({ connectsPerSecond: 0, burst: 1, pairings: 0, byHost: true, cmd: 'admission' }), { connectsPerSecond: 0, burst: 1, pairings: 0, byHost: true })
})
