import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { MAX_UNPACKED, PACK_FROM, pack, unpack } from '../packing.mjs'

test('what is small stays as it is, what is large comes back as it was', async () => {
  for (const size of [0, 1, PACK_FROM - 1, PACK_FROM, 20 * PACK_FROM, MAX_UNPACKED]) {
    const text = Buffer.alloc(size, '{"n": 1}')
    const packed = await pack('a/b', text)
    assert.equal(packed.length < size, size >= PACK_FROM)
    assert.ok((await unpack(packed)).equals(text))
  }
})

test('what is too long is refused, with its kind and without its name', async () => {
  const refused = await pack('session/4915112345678.0', Buffer.alloc(MAX_UNPACKED + 1, ' ')).catch(error => error)
  assert.equal(refused.code, 'limit')
  assert.match(refused.message, /of the kind session has 16777217 bytes/)
})

test('what can not be unfolded is an error that says so', async () => {
  const packed = await pack('a/b', Buffer.alloc(PACK_FROM, ' '))
  for (const stored of [packed.subarray(0, -9), Buffer.from([0x1f, 0x8b]), gzipSync(Buffer.alloc(MAX_UNPACKED + 1))]) {
    await assert.rejects(unpack(stored), { code: 'internal' })
  }
})
