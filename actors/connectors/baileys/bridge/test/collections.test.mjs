import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { MAX_STORED } from '../packing.mjs'
import { blob, failures, load, paired, peer, stored } from './keystorekit.mjs'

/** A collection of the app state of so many contacts, chats or stars: two codes for each, which hardly compress. */
function collection(size) {
  const codes = Array.from({ length: size }, () => [randomBytes(32).toString('base64'), { valueMac: randomBytes(32) }])
  return { version: size, hash: randomBytes(128), indexValueMap: Object.fromEntries(codes) }
}
const APP_STATE = 'app-state-sync-version'

test('a large collection of the app state is stored, and comes back at the next load', async () => {
  const keystore = await paired()
  const contacts = collection(25_000)
  assert.ok(blob(contacts).length > 3_000_000)
  await keystore.signalKeys.set({ [APP_STATE]: { regular: contacts } })
  assert.deepEqual(failures, [])
  assert.deepEqual((await (await load()).signalKeys.get(APP_STATE, ['regular'])).regular, contacts)
})

test('what was stored when nothing was compressed is read', async () => {
  await paired()
  const old = { text: 'x'.repeat(1024 * 1024 - 20) }
  peer.entries.set('session/a', blob(old))
  assert.deepEqual(await (await load()).signalKeys.get('session', ['a']), { a: old })
})

test('the collections of one synchronization are more than a commit can hold', async () => {
  const keystore = await paired()
  const commits = peer.asked('commit').length
  const all = Object.fromEntries(['regular', 'regular_low', 'regular_high'].map(name => [name, collection(25_000)]))
  await keystore.signalKeys.set({ [APP_STATE]: { ...all, critical_block: collection(1) }, session: { a: 1 } })
  assert.equal(peer.asked('commit').length, commits + 4, 'each large one, and what is left')
  assert.deepEqual(failures, [])
  const { signalKeys } = await load()
  assert.deepEqual({ ...await signalKeys.get(APP_STATE, Object.keys(all)) }, all)
  assert.deepEqual(await signalKeys.get('session', ['a']), { a: 1 })
})

test('a collection that can not be stored is used, and what was stored before stays', async () => {
  const keystore = await paired()
  const [before, after] = [collection(100), collection(60_000)]
  await keystore.signalKeys.set({ [APP_STATE]: { regular: before } })
  await keystore.signalKeys.set({ [APP_STATE]: { regular: after }, session: { a: 1 } })
  await keystore.signalKeys.set({ session: { b: 2 } })
  assert.deepEqual(failures, [], 'the connection stays')
  assert.deepEqual(await keystore.signalKeys.get(APP_STATE, ['regular']), { regular: after })
  const { signalKeys } = await load()
  assert.deepEqual(await signalKeys.get(APP_STATE, ['regular']), { regular: before })
  assert.deepEqual(await signalKeys.get('session', ['a', 'b']), { a: 1, b: 2 })
})

test('what can not be stored beside that is told', async () => {
  const keystore = await paired()
  await assert.rejects(keystore.signalKeys.set({ session: { a: collection(60_000) } }), { code: 'limit' })
  assert.deepEqual(failures, ['limit'])
  await assert.rejects(keystore.signalKeys.set({ session: { b: 2 } }), { code: 'limit' }, 'nothing is written over a hole')
})

test('a large collection keeps its place among what is changed before and after it', async () => {
  const { signalKeys: keys } = await paired()
  const sizes = [10, 25_000, 11, 20_000, 12]
  await Promise.all(sizes.map(size => keys.set({ [APP_STATE]: { regular: collection(size) } })))
  assert.equal(stored(`${APP_STATE}/regular`).version, 12)
  assert.ok([...peer.entries.values()].every(value => value.length <= MAX_STORED))
})
