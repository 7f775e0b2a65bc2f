import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { ProtocolError } from '../errors.mjs'
import { encode } from '../frames.mjs'
import { FIRST_MS, LinkClosed, MAX_RUNNING, Peer, Reply } from '../peer.mjs'
import { Clock } from './clock.mjs'

let folder
let server
let onRequest
const clock = new Clock()
const accepted = []

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'peer'))
  server = net.createServer(socket => accepted.push(new Peer(socket, { onRequest: (message, peer) => onRequest(message, peer), time: clock })))
  await new Promise(resolve => server.listen(path.join(folder, 's.sock'), resolve))
})
after(() => {
  server.close()
  for (const peer of accepted) peer.destroy()
  fs.rmSync(folder, { recursive: true })
})

async function connected(options) {
  const socket = net.connect(path.join(folder, 's.sock'))
  await once(socket, 'connect')
  return { socket, peer: options === null ? null : new Peer(socket, options) }
}

test('a request is answered, a refusal has its code and data', async () => {
  onRequest = ({ cmd, value }) => {
    if (cmd === 'refuse') throw new ProtocolError('nack', 'no', { error: 463 })
    return cmd === 'nothing' ? undefined : { value }
  }
  const { peer } = await connected()
  assert.deepEqual(await peer.request('echo', { value: 'x' }), { value: 'x' })
  assert.deepEqual(await peer.request('nothing'), {})
  await assert.rejects(peer.request('refuse'), { code: 'nack', message: 'no', data: { error: 463 } })
  peer.destroy()
})

test('an inner error tells the peer nothing', async () => {
  onRequest = () => { throw new Error('the secret is 42') }
  const { peer } = await connected()
  await assert.rejects(peer.request('x'), error => error.code === 'internal' && !error.message.includes('42'))
  peer.destroy()
})

test('a Reply is made when it is sent, and what follows comes after it', async () => {
  onRequest = (_, other) => new Reply(() => ({ made: 'late' }), () => other.event('next', {}))
  const { socket } = await connected(null)
  socket.write(encode({ id: 1, cmd: 'x' }))
  const [chunk] = await once(socket, 'data')
  const expected = Buffer.concat([encode({ re: 1, ok: { made: 'late' } }), encode({ ev: 'next' })])
  assert.ok(expected.equals(chunk) || expected.subarray(0, chunk.length).equals(chunk))
  socket.destroy()
})

test('the end of the link rejects what waits, and is told once', async () => {
  onRequest = (_, other) => { other.destroy() }
  let ends = 0
  const { peer } = await connected({ onEnd: () => ends++ })
  await assert.rejects(peer.request('x'), LinkClosed)
  await assert.rejects(peer.request('x'), LinkClosed)
  peer.destroy()
  assert.equal(ends, 1)
})

const odd = {
  'no frame': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  'a frame that is no map': Buffer.from([0, 0, 0, 1, 0x90]),
  'neither request nor answer': encode({ hello: 'x' }),
  'a request with a negative id': encode({ id: -1, cmd: 'x' }),
  'a request without an id': encode({ cmd: 'x' })
}
for (const [name, bytes] of Object.entries(odd)) {
  test(`${name} ends this link, and no other`, async () => {
    onRequest = () => ({})
    const [bad, good] = await Promise.all([connected(null), connected()])
    bad.socket.on('error', () => {})
    bad.socket.write(bytes)
    await once(bad.socket, 'close')
    assert.deepEqual(await good.peer.request('x'), {})
    good.peer.destroy()
  })
}

test('events of the peer and answers to nothing are passed over', async () => {
  onRequest = () => ({})
  const { peer } = await connected()
  peer.event('news', {})
  peer.send({ re: 99, ok: {} })
  assert.deepEqual(await peer.request('x'), {})
  peer.destroy()
})

test('a peer that does not read is cut off before it fills the memory', async () => {
  onRequest = (_, other) => {
    for (let count = 0; count < 8 && !other.closed; count++) other.event('big', { value: Buffer.alloc(2 * 1024 * 1024) })
    return { cut: other.closed }
  }
  const { socket } = await connected(null)
  socket.pause()
  socket.on('error', () => {})
  socket.write(encode({ id: 1, cmd: 'x' }))
  while (!accepted.at(-1).closed) await new Promise(resolve => setImmediate(resolve))
  socket.destroy()
})

test('who asks nothing is cut off, who has asked may be silent', async () => {
  onRequest = () => ({})
  const silent = await connected()
  const asking = await connected()
  await asking.peer.request('hello')
  const ended = once(silent.socket, 'close')
  while (clock.waiting === 0) await new Promise(resolve => setImmediate(resolve)) // until it is accepted
  clock.advance(FIRST_MS)
  await ended
  assert.deepEqual(await asking.peer.request('again'), {})
  asking.peer.destroy()
})

test('of the requests of a peer only so many are under way', async () => {
  let finish
  const finished = new Promise(resolve => { finish = resolve })
  onRequest = () => finished
  const { peer } = await connected()
  const waiting = Array.from({ length: MAX_RUNNING }, () => peer.request('slow'))
  await assert.rejects(peer.request('one more'), { code: 'busy' })
  finish({ done: true })
  assert.ok((await Promise.all(waiting)).every(({ done }) => done))
  assert.deepEqual(await peer.request('another'), { done: true })
  peer.destroy()
})
