// The phone of an account (device 0), played by the server: its Signal identity, what it signs, sends and reads.
import {
  Curve, DEFAULT_CONNECTION_CONFIG, addTransactionCapability, encodeWAMessage, extractE2ESessionFromRetryReceipt,
  generateSignalPubKey, initAuthCreds, proto, unpadRandomMax16
} from '@whiskeysockets/baileys'
import { lidJid, phoneJid } from './stanza.mjs'

const ADV_ACCOUNT_PREFIX = Buffer.from([6, 0]) // domain separation of account signatures in WhatsApp's multi-device scheme
const KEPT_TEXTS = 1000

export const SILENT = {
  level: 'silent', child() { return this }, trace() {}, debug() {}, info() {}, warn() {}, error() {}
}

/** Signal key store in memory, with the transactions that Baileys' Signal repository expects. */
function memoryKeys() {
  const kinds = new Map()
  const store = {
    async get(kind, ids) {
      const values = kinds.get(kind)
      return Object.fromEntries(ids.filter(id => values?.has(id)).map(id => [id, values.get(id)]))
    },
    async set(data) {
      for (const [kind, entries] of Object.entries(data)) {
        if (!kinds.has(kind)) kinds.set(kind, new Map())
        const values = kinds.get(kind)
        for (const [id, value] of Object.entries(entries)) {
          if (value == null) values.delete(id)
          else values.set(id, value)
        }
      }
    }
  }
  return addTransactionCapability(store, SILENT, { maxCommitRetries: 1, delayBetweenTriesMs: 1 })
}

/** Readable text of a message: the plain text where there is one, else its JSON. */
function textOf(message) {
  const inner = message.deviceSentMessage?.message ?? message
  return inner.conversation || inner.extendedTextMessage?.text || JSON.stringify(inner)
}

export class Phone {
  #creds
  #signal
  #sent = new Map() // message id -> padded protobuf bytes, for a client that asks again
  #turn = Promise.resolve()

  constructor({ user, lid }) {
    this.#creds = initAuthCreds()
    this.#creds.me = { id: phoneJid(user), lid: lidJid(lid) }
    const auth = { creds: this.#creds, keys: memoryKeys() }
    this.#signal = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, SILENT, async () => [])
  }

  get identityKey() { return Buffer.from(this.#creds.signedIdentityKey.public) }
  get registrationId() { return this.#creds.registrationId }
  sharedKey(theirPublic) { return Curve.sharedKey(this.#creds.signedIdentityKey.private, theirPublic) }

  /** What others need to start a session with this phone. It offers no one-time pre-keys, which Signal allows. */
  bundle() {
    const { keyId, keyPair, signature } = this.#creds.signedPreKey
    return {
      registrationId: this.registrationId, identity: this.identityKey,
      signedPreKey: { id: keyId, value: Buffer.from(keyPair.public), signature: Buffer.from(signature) }
    }
  }

  /** The account's signature under a companion device: an ADVSignedDeviceIdentity without the device's own signature. */
  signDevice(companionIdentity, keyIndex) {
    const timestamp = Math.floor(Date.now() / 1000)
    const identity = { rawId: 1, timestamp, keyIndex, accountType: 0, deviceType: 0 }
    const details = Buffer.from(proto.ADVDeviceIdentity.encode(identity).finish())
    const signed = Buffer.concat([ADV_ACCOUNT_PREFIX, details, companionIdentity])
    const accountSignature = Buffer.from(Curve.sign(this.#creds.signedIdentityKey.private, signed))
    return { details, accountSignatureKey: this.identityKey, accountSignature }
  }

  /** Encrypt a proto.Message object for one companion device: `{type, ciphertext}`. */
  encrypt(account, device, id, message) {
    return this.#exclusive(async () => {
      const plain = encodeWAMessage(message)
      this.#remember(id, plain)
      const jid = phoneJid(account.user, device.id)
      if (!(await this.#signal.validateSession(jid)).exists) await this.#startSession(jid, device.takeBundle())
      return this.#signal.encryptMessage({ jid, data: plain })
    })
  }

  /** The device couldn't read `id`: a new session from its receipt or a fresh bundle. Null when `id` isn't ours. */
  encryptAgain(account, device, id, retryReceipt) {
    return this.#exclusive(async () => {
      const plain = this.#sent.get(id)
      if (!plain) return null
      const jid = phoneJid(account.user, device.id)
      const offered = extractE2ESessionFromRetryReceipt(retryReceipt)
      if (offered) await this.#signal.injectE2ESession({ jid, session: offered })
      else await this.#startSession(jid, device.takeBundle())
      return this.#signal.encryptMessage({ jid, data: plain })
    })
  }

  /** Text of what a companion device encrypted for this phone. Throws what libsignal throws. */
  async read(account, deviceId, enc) {
    return textOf(await this.open(account, deviceId, enc))
  }

  /** The same as a proto.Message. */
  async open(account, deviceId, enc) {
    const ciphertext = Buffer.from(enc.content)
    const padded = await this.#signal.decryptMessage({ jid: phoneJid(account.user, deviceId), type: enc.attrs.type, ciphertext })
    return proto.Message.decode(unpadRandomMax16(padded))
  }

  #startSession(jid, { registrationId, identity, signedPreKey, preKey }) {
    return this.#signal.injectE2ESession({
      jid,
      session: {
        registrationId,
        identityKey: generateSignalPubKey(identity),
        signedPreKey: { keyId: signedPreKey.id, publicKey: generateSignalPubKey(signedPreKey.value), signature: signedPreKey.signature },
        preKey: preKey && { keyId: preKey.id, publicKey: generateSignalPubKey(preKey.value) }
      }
    })
  }

  #remember(id, plain) {
    this.#sent.set(id, plain)
    if (this.#sent.size > KEPT_TEXTS) this.#sent.delete(this.#sent.keys().next().value)
  }

  // Two messages at once must not both start a session: the second would spend a pre-key and orphan the first.
  #exclusive(work) {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }
}
