// A keystore on a vault of its own for each test of a file that imports this.
import { afterEach, beforeEach } from 'node:test'
import { gunzipSync } from 'node:zlib'
import '../quiet.mjs'
import { BufferJSON } from '@whiskeysockets/baileys'
import { Keystore } from '../keystore.mjs'
import { VaultChannel, VaultLink } from '../vault.mjs'
import { VaultPeer } from './vaultpeer.mjs'

/** The vault's peer of the present test. */
export let peer
/** Codes of the failures that the keystore told. */
export let failures
let link
let channel
export const account = { details: Buffer.from('d'), accountSignature: Buffer.from('s') }
export const blob = value => Buffer.from(JSON.stringify(value, BufferJSON.replacer))
const unfolded = bytes => bytes[0] === 0x1f ? gunzipSync(bytes) : Buffer.from(bytes)
export const stored = key => JSON.parse(unfolded(peer.entries.get(key)).toString(), BufferJSON.reviver)
export const load = () => Keystore.load(channel, error => failures.push(error.code))

beforeEach(async () => {
  peer = new VaultPeer()
  await peer.start()
  link = new VaultLink(peer.path, { awayMs: 200, silentMs: 200 })
  channel = new VaultChannel(link, 's')
  failures = []
  await channel.claim(1)
})
afterEach(async () => {
  peer.release()
  link.close()
  await peer.remove()
})

/** A keystore whose device is paired. */
export async function paired() {
  const keystore = await load()
  keystore.creds.account = account
  keystore.creds.me = { id: '15550001:1@s.whatsapp.net' }
  await keystore.saveCreds()
  return keystore
}
