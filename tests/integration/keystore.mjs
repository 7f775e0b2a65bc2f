// The bridge's key store at a real vault, for `test_large_values.py`.
//
//     node keystore.mjs SOCKET SESSION GENERATION [SIZE]
//
// With a size it pairs, if that is still to be done, and sets a collection of the app state of so many entries. Says as a JSON
// line what it then has of it, {text: SHA-256 of its JSON text, bytes}, and which commits failed.
import { createHash, randomBytes } from 'node:crypto'

const BRIDGE = new URL('../../actors/connectors/baileys/bridge/', import.meta.url)
await import(new URL('quiet.mjs', BRIDGE))
const { Keystore } = await import(new URL('keystore.mjs', BRIDGE))
const { VaultChannel, VaultLink } = await import(new URL('vault.mjs', BRIDGE))
const { BufferJSON } = await import(new URL('node_modules/@whiskeysockets/baileys/lib/index.js', BRIDGE))

const [socket, session, generation, size] = process.argv.slice(2)
const link = new VaultLink(socket)
const channel = new VaultChannel(link, session)
const failures = []
await channel.claim(Number(generation))
const keystore = await Keystore.load(channel, error => failures.push(error.code))
if (size) {
  Object.assign(keystore.creds, { account: { details: Buffer.from('d') }, me: { id: '15550107009:1@s.whatsapp.net' } })
  await keystore.saveCreds()
  const codes = Array.from({ length: Number(size) }, () => [randomBytes(32).toString('base64'), { valueMac: randomBytes(32) }])
  const regular = { version: Number(size), hash: randomBytes(128), indexValueMap: Object.fromEntries(codes) }
  await keystore.signalKeys.set({ 'app-state-sync-version': { regular } })
}
const { regular } = await keystore.signalKeys.get('app-state-sync-version', ['regular'])
const text = JSON.stringify(regular, BufferJSON.replacer)
process.stdout.write(JSON.stringify({ text: createHash('sha256').update(text).digest('hex'), bytes: text.length, failures }))
link.close()
