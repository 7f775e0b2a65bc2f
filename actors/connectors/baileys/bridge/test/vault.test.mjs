import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { ProtocolError } from '../errors.mjs'
import { VaultChannel, VaultLink } from '../vault.mjs'
import { VaultPeer } from './vaultpeer.mjs'

let peer
let link
const bytes = text => Buffer.from(text)
const entry = (key, value = key) => new Map([[key, bytes(value)]])
const stored = () => Object.fromEntries([...peer.entries].map(([key, value]) => [key, Buffer.from(value).toString()]))

beforeEach(async () => {
  peer = new VaultPeer()
  await peer.start()
  link = new VaultLink(peer.path, { awayMs: 300, silentMs: 300 })
})
afterEach(async () => {
  peer.release()
  link.close()
  await peer.remove()
})

async function claimed(generation = 1) {
  const channel = new VaultChannel(link, 's')
  await channel.claim(generation)
  return channel
}

test('all pages of the auth state are loaded', async () => {
  for (const key of 'abc') peer.entries.set(key, bytes(key))
  const channel = await claimed()
  const entries = await channel.load()
  assert.deepEqual([...entries.keys()], ['a', 'b', 'c'])
  assert.equal(peer.asked('load').length, 3)
})

test('one commit is on its way, those behind it are merged, the last value of a key counts', async () => {
  peer.hold()
  const channel = await claimed()
  const first = channel.commit(entry('a'))
  await peer.until('commit')
  const others = [channel.commit(entry('b', 'old')), channel.commit(entry('c'), ['a']), channel.commit(entry('b', 'new'), ['c']), channel.commit(entry('c', 'again'), [], true)]
  peer.release()
  await Promise.all([first, ...others])
  assert.equal(peer.asked('commit').length, 2)
  assert.deepEqual(stored(), { b: 'new', c: 'again' })
  assert.equal(peer.paired, true)
})

test('sessions do not wait for each other', async () => {
  peer.hold()
  const one = await claimed()
  const other = new VaultChannel(link, 'other')
  await other.claim(1)
  const commits = [one.commit(entry('a')), other.commit(entry('b'))]
  await peer.until('commit', 2)
  peer.release()
  await Promise.all(commits)
})

test('a merged commit stays far from the limit of a frame', async () => {
  peer.hold()
  const channel = await claimed()
  const commits = [channel.commit(entry('first'))]
  await peer.until('commit')
  for (const key of 'abc') commits.push(channel.commit(new Map([[key, Buffer.alloc(700_000)]])))
  peer.release()
  await Promise.all(commits)
  assert.equal(peer.asked('commit').length, 4)
})

test('what is asked for after a claim goes out under its generation, not before', async () => {
  peer.hold()
  const channel = await claimed(1)
  const early = channel.commit(entry('a'))
  await peer.until('commit')
  const claim = channel.claim(2)
  const late = channel.commit(entry('b'))
  peer.release()
  await Promise.all([early, claim, late])
  assert.deepEqual(peer.requests.map(({ cmd, generation }) => [cmd, generation]), [['claim', 1], ['commit', 1], ['claim', 2], ['commit', 2]])
})

test('a refused claim leaves the generation as it was', async () => {
  const channel = await claimed(1)
  peer.owner = 9
  await assert.rejects(channel.claim(5), { code: 'fenced' })
  assert.equal(channel.generation, 1)
  await assert.rejects(channel.commit(entry('a')), { code: 'fenced' })
})

test('a link that broke is made again and the commit repeated', async () => {
  peer.hold()
  const channel = await claimed()
  const commit = channel.commit(entry('a'))
  await peer.until('commit')
  await peer.stop()
  peer.release()
  await peer.start()
  await commit
  assert.equal(peer.asked('commit').length, 2)
  assert.deepEqual(stored(), { a: 'a' })
})

test('a commit that took long before its link broke is repeated as well', async () => {
  const slow = new VaultLink(peer.path, { awayMs: 300, silentMs: 10_000 })
  peer.hold()
  const channel = new VaultChannel(slow, 's')
  await channel.claim(1)
  const commit = channel.commit(entry('a'))
  await new Promise(resolve => setTimeout(resolve, 400))
  await peer.stop()
  peer.release()
  await peer.start()
  await commit
  assert.equal(peer.asked('commit').length, 2)
  slow.close()
})

test('a vault that stays away is unavailable, and nothing is written over the hole until the next load', async () => {
  const channel = await claimed()
  await peer.stop()
  const lost = channel.commit(entry('a'))
  const behind = channel.commit(entry('b'))
  await assert.rejects(lost, { code: 'vault_unavailable' })
  await assert.rejects(behind, { code: 'vault_unavailable' })
  await peer.start()
  await assert.rejects(channel.commit(entry('c')), { code: 'vault_unavailable' })
  await channel.load()
  await channel.commit(entry('d'))
  assert.deepEqual(stored(), { d: 'd' })
})

test('a vault that holds the link but is silent is unavailable, and the link is kept', async () => {
  peer.hold()
  const channel = await claimed()
  await assert.rejects(channel.commit(entry('a')), { code: 'vault_unavailable' })
  peer.release()
  await channel.load()
  assert.deepEqual(peer.requests.map(({ cmd }) => cmd), ['claim', 'commit', 'load'])
})

test('a full disk is told at once, and fails what waits', async () => {
  peer.hold()
  const channel = await claimed()
  const first = channel.commit(entry('a'))
  await peer.until('commit')
  peer.refuse = new ProtocolError('full', 'no space')
  const failed = [channel.commit(entry('b')), channel.commit(entry('c'))]
  peer.release()
  await first
  for (const commit of failed) await assert.rejects(commit, { code: 'full' })
})

test('drained when all has been answered, well or not', async () => {
  const channel = await claimed()
  await channel.drained()
  peer.refuse = new ProtocolError('full', 'no space')
  let failed = false
  channel.commit(entry('a')).catch(() => { failed = true })
  await channel.drained()
  assert.equal(failed, true)
})
