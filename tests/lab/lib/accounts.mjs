// Accounts (phone numbers), their companion devices with uploaded keys and undelivered stanzas, and policies.
import { initAuthCreds, generateSignalPubKey } from '@whiskeysockets/baileys'
import { Phone } from './phone.mjs'
import { lidJid, parseJid, phoneJid } from './stanza.mjs'

const PENDING_LIMIT = 10_000

/** Behaviour that a test may change for everybody or for one account. */
export const DEFAULT_POLICY = Object.freeze({
  latencyMs: 0, // waited before each stanza that the server sends
  loginDelayMs: 5, // a client that has not finished its handshake loses a reply that comes at once
  holdLogin: false, // true: logins are not answered until it is false again
  leastVersion: null, // '2.3000.5': older clients are refused with 405
  ackDelayMs: 0,
  dropAck: false, // true: message swallowed, never acknowledged; 'forward': delivered, never acknowledged
  ackError: null, // '463', '479', '475', ...: nack; nothing is delivered
  deliveryMs: 5, // receipts of a recipient who has only a phone; null: never
  readMs: null,
  decrypt: false, // the recipient's phone reads the text (costs CPU)
  preKeyCount: null, // answer to <count> instead of the truth
  banAfter: null, // the Nth message of the account gets it locked: device removed, then failure 403
  deaf: false, // acks and pings go on, but nothing inbound is handed over
  historySync: true, // the phone sends an empty initial history to a newly paired device, as the real one does
  registered: true, // false: no such number on WhatsApp
  reachoutTimelock: { is_active: false },
  messageCapping: {}
})

/** Check policy keys, so that a misspelt one fails the test that wrote it. */
function checked(changes) {
  for (const key of Object.keys(changes)) {
    if (!(key in DEFAULT_POLICY)) throw new Error(`unknown policy "${key}"; known: ${Object.keys(DEFAULT_POLICY).join(', ')}`)
  }
  return changes
}

/** A companion device: a client that paired with, or logged in to, the account. */
export class Device {
  preKeys = [] // one-time pre-keys not yet given away: {id, value}
  pending = new Map() // key -> stanza that the client has not acknowledged yet
  removed = false
  toldLow = false // that few pre-keys are left, since the last upload
  identityProof = null // what the device signed at pairing; travels with its pre-key bundle
  awaitsHistory = false

  constructor({ id, noiseKey, identity = null, registrationId = null, signedPreKey = null }) {
    Object.assign(this, { id, noiseKey, identity, registrationId, signedPreKey })
  }

  /** Others can encrypt for it only once its keys are here. */
  get reachable() { return !this.removed && this.identity !== null && this.signedPreKey !== null }

  upload({ identity, registrationId, signedPreKey, preKeys = [] }) {
    if (identity) this.identity = identity
    if (registrationId !== undefined) this.registrationId = registrationId
    if (signedPreKey) this.signedPreKey = signedPreKey
    this.preKeys.push(...preKeys)
  }

  /** Key bundle for one new session; spends a one-time pre-key, and does without when they are used up. */
  takeBundle() {
    if (!this.reachable) throw new Error('the device has not uploaded its keys yet')
    const { registrationId, identity, signedPreKey, identityProof } = this
    return { registrationId, identity, signedPreKey, identityProof, preKey: this.preKeys.shift() }
  }

  hold(key, stanza) {
    this.pending.set(key, stanza)
    if (this.pending.size > PENDING_LIMIT) this.pending.delete(this.pending.keys().next().value)
  }
}

/** A phone number. The server plays its phone; companion devices are real clients. */
export class Account {
  devices = new Map() // id -> Device
  loginFailure = null // {reason, attrs, times}
  policy = {}
  watchers = new Set() // accounts that asked for this one's device list, and hear when it changes
  sent = 0
  known = false // paired or created here: an unknown device is then a stranger, not a client from before a restart
  #nextDevice = 1
  #phone = null

  constructor(user) {
    this.user = user
    this.lid = '9' + user.padStart(14, '0').slice(-14)
  }

  get phone() { return (this.#phone ??= new Phone(this)) }
  companions() { return [...this.devices.values()].filter(device => device.reachable) }
  newDeviceId() { return this.#nextDevice++ }

  add(device) {
    this.devices.set(device.id, device)
    this.#nextDevice = Math.max(this.#nextDevice, device.id + 1)
    return device
  }

  /** The login that the server refuses next, counting down `times`; null when logins are welcome. */
  takeLoginFailure() {
    const failure = this.loginFailure
    if (failure?.times !== undefined && --failure.times <= 0) this.loginFailure = null
    return failure
  }
}

export class Accounts {
  #byUser = new Map()
  #byLid = new Map()
  #initial

  constructor(defaults = {}) {
    this.#initial = { ...DEFAULT_POLICY, ...checked(defaults) }
    this.defaults = { ...this.#initial }
  }

  // ---- policies

  policyOf(account) { return account ? { ...this.defaults, ...account.policy } : this.defaults }
  setDefaults(changes) { return Object.assign(this.defaults, checked(changes)) }
  setPolicy(account, changes) { return Object.assign(account.policy, checked(changes)) }

  /** Policies as at the start, no login failures. */
  resetPolicies() {
    this.defaults = { ...this.#initial }
    for (const account of this.all()) Object.assign(account, { policy: {}, loginFailure: null })
  }

  // ---- accounts

  /** The account of a phone number, made when first asked for. Throws on what isn't digits. */
  get(phone) {
    const user = String(phone).replace(/^\+/, '')
    if (!/^\d{5,15}$/.test(user)) throw new Error(`not a phone number: ${phone}`)
    let account = this.#byUser.get(user)
    if (!account) {
      account = new Account(user)
      this.#byUser.set(user, account)
      this.#byLid.set(account.lid, account)
    }
    return account
  }

  /** `{account, deviceId}` of a person's JID (by number or LID); null for groups and for an unknown LID. */
  resolve(jid) {
    const parsed = parseJid(jid)
    if (!parsed) return null
    const account = parsed.lid ? this.#byLid.get(parsed.user) : this.get(parsed.user)
    return account ? { account, deviceId: parsed.device } : null
  }

  all() { return [...this.#byUser.values()] }

  forget() {
    this.#byUser.clear()
    this.#byLid.clear()
  }

  /** Auth credentials as a client holds them after a finished pairing: saves a test the pairing. */
  makeCredentials(phone, deviceId) {
    const account = this.get(phone)
    const id = deviceId ?? account.newDeviceId()
    const creds = initAuthCreds()
    const { keyId, keyPair, signature } = creds.signedPreKey
    account.known = true
    account.add(new Device({
      id, noiseKey: Buffer.from(creds.noiseKey.public), identity: Buffer.from(creds.signedIdentityKey.public),
      registrationId: creds.registrationId,
      signedPreKey: { id: keyId, value: Buffer.from(keyPair.public), signature: Buffer.from(signature) }
    }))
    const signed = account.phone.signDevice(creds.signedIdentityKey.public, id)
    return Object.assign(creds, {
      me: { id: phoneJid(account.user, id), lid: lidJid(account.lid, id), name: `lab ${account.user}` },
      account: { ...signed, deviceSignature: Buffer.alloc(64) },
      signalIdentities: [{
        identifier: { name: lidJid(account.lid, id), deviceId: 0 },
        identifierKey: generateSignalPubKey(account.phone.identityKey)
      }],
      registered: true, platform: 'android', accountSyncCounter: 1
    })
  }
}
