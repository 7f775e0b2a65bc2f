import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { beforeEach, test } from 'node:test'
import '../quiet.mjs'
import '../trials.mjs'
import { random } from './clock.mjs'

const require = createRequire(import.meta.resolve('@whiskeysockets/baileys'))
const { ProtocolAddress, SessionBuilder, SessionCipher, SessionRecord, keyhelper } = require('libsignal')

class Party {
  #identity = keyhelper.generateIdentityKeyPair()
  #registration = keyhelper.generateRegistrationId()
  #signed = keyhelper.generateSignedPreKey(this.#identity, 1)
  #preKeys = new Map()
  #stored = null // the record with the other party, as it is kept

  /** What the other party needs to begin a session. */
  bundle(id) {
    this.#preKeys.set(id, keyhelper.generatePreKey(id).keyPair)
    const { keyPair, signature } = this.#signed
    return {
      registrationId: this.#registration, identityKey: this.#identity.pubKey,
      signedPreKey: { keyId: 1, publicKey: keyPair.pubKey, signature }, preKey: { keyId: id, publicKey: this.#preKeys.get(id).pubKey }
    }
  }

  get sessions() { return Object.keys(JSON.parse(this.#stored)._sessions).length }

  #storage = {
    getOurIdentity: () => this.#identity,
    getOurRegistrationId: () => this.#registration,
    isTrustedIdentity: () => true,
    loadSession: () => this.#stored && SessionRecord.deserialize(JSON.parse(this.#stored)),
    storeSession: (_address, record) => { this.#stored = JSON.stringify(record.serialize()) },
    loadPreKey: id => this.#preKeys.get(id),
    removePreKey: id => this.#preKeys.delete(id),
    loadSignedPreKey: () => this.#signed.keyPair
  }
  #address = new ProtocolAddress('other', 1)

  begin(bundle) { return new SessionBuilder(this.#storage, this.#address).initOutgoing(bundle) }
  encrypt(text) { return new SessionCipher(this.#storage, this.#address).encrypt(Buffer.from(text)) }
  async decrypt({ type, body }) {
    const cipher = new SessionCipher(this.#storage, this.#address)
    return String(await (type === 3 ? cipher.decryptPreKeyWhisperMessage(body) : cipher.decryptWhisperMessage(body)))
  }
}

let parties

beforeEach(async () => {
  parties = [new Party(), new Party()]
  await Promise.all([0, 1].map(side => parties[side].begin(parties[1 - side].bundle(1))))
})

test('after two first messages that crossed all that follows can be read', async () => {
  const under = [[], []] // what is on its way to each
  const rng = random(20261127)
  for (let number = 0; number < 300; number++) {
    const side = rng() < 0.5 ? 0 : 1
    if (rng() < 0.5) under[1 - side].push({ text: `${number}`, sent: await parties[side].encrypt(`${number}`) })
    else if (under[side].length > 0) {
      const { text, sent } = under[side].shift()
      assert.equal(await parties[side].decrypt(sent), text)
    }
    if (number === 150) await parties[0].begin(parties[1].bundle(2)) // the server's copy of the keys, asked for anew
  }
  assert.ok(parties.every(({ sessions }) => sessions >= 2))
})

test('what can be read by none is refused, and harms none', async () => {
  for (const side of [0, 1]) await parties[side].decrypt(await parties[1 - side].encrypt('first'))
  const damaged = await parties[0].encrypt('damaged')
  const body = Buffer.from(damaged.body)
  body[body.length - 1] ^= 1
  await assert.rejects(parties[1].decrypt({ type: 1, body }), /No matching sessions|Bad MAC/)
  assert.equal(await parties[1].decrypt(damaged), 'damaged')
  await assert.rejects(parties[1].decrypt({ type: 1, body: damaged.body }), /No matching sessions/)
  assert.equal(await parties[0].decrypt(await parties[1].encrypt('back')), 'back')
})
