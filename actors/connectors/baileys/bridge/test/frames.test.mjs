import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameError, FrameReader, MAX_FRAME, decode, encode } from '../frames.mjs'
import { random } from './clock.mjs'

const message = { id: 7, cmd: 'send', text: 'grüße', data: { key: Buffer.from([0, 255]) }, none: null, at: 1_795_370_094_292, ms: 1.5 }

test('a frame comes back as it was, however the stream is cut', () => {
  const bytes = Buffer.concat([encode(message), encode({ ev: 'x' }), encode(message)])
  const next = random(1)
  for (let round = 0; round < 50; round++) {
    const reader = new FrameReader()
    const got = []
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + 1 + Math.floor(next() * 40))
      got.push(...reader.push(bytes.subarray(at, end)))
      at = end
    }
    assert.deepEqual(got, [message, { ev: 'x' }, message])
  }
})

test('what is undefined is left out, what is null is not', () => {
  assert.deepEqual(decode(encode({ a: undefined, b: null }).subarray(4)), { b: null })
})

test('an announcement over the limit is refused before the body comes', () => {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(MAX_FRAME + 1)
  assert.throws(() => [...new FrameReader().push(header)], FrameError)
})

test('a body over the limit is not written', () => {
  assert.throws(() => encode({ value: Buffer.alloc(MAX_FRAME) }), FrameError)
})

test('the largest frame passes', () => {
  const body = Buffer.alloc(MAX_FRAME - 64)
  assert.equal([...new FrameReader().push(encode({ body }))][0].body.length, body.length)
})

const malformed = {
  nothing: [], garbage: [0xc1], 'an array': [0x93, 1, 2, 3], 'a number': [7], 'a number as key': [0x81, 1, 2],
  'a map cut short': [0x82, 0xa1, 0x61, 1], 'more than one value': [0x80, 0x80], 'a date': [0xd6, 0xff, 0, 0, 0, 0],
  'a dangerous key': [0x81, 0xa9, ...Buffer.from('__proto__'), 0x80], 'deep nesting': [...Array(5000).fill(0x91), 0xc0]
}
for (const [name, bytes] of Object.entries(malformed)) {
  test(`${name} is no frame`, () => assert.throws(() => decode(Uint8Array.from(bytes)), FrameError))
}

test('random bytes raise FrameError or are a map, never anything else', () => {
  const next = random(2)
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from({ length: 1 + Math.floor(next() * 30) }, () => Math.floor(next() * 256))
    try {
      assert.equal(Object.getPrototypeOf(decode(bytes)), Object.prototype)
    } catch (error) {
      assert.ok(error instanceof FrameError, `${error.name} for ${Buffer.from(bytes).toString('hex')}`)
    }
  }
})
