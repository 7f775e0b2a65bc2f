// Server side of Noise_XX_25519_AESGCM_SHA256 as WhatsApp Web uses it (noiseprotocol.org, revision 34, pattern XX),
// with WhatsApp's framing: a 4-byte intro, then frames with a 3-byte big-endian length.
import { Curve, NOISE_MODE, aesDecryptGCM, aesEncryptGCM, hkdf, proto, sha256 } from '@whiskeysockets/baileys'

const EMPTY = Buffer.alloc(0)
const INTRO_LENGTH = 4
const LENGTH_PREFIX = 3
const TEN_YEARS_SECONDS = 10 * 365 * 86400

const nonce = counter => {
  const iv = Buffer.alloc(12)
  iv.writeUInt32BE(counter, 8)
  return iv
}

function certificate(issuer, serial, issuerSerial, subject) {
  const now = Math.floor(Date.now() / 1000)
  const fields = { serial, issuerSerial, key: subject.public, notBefore: now - 86400, notAfter: now + TEN_YEARS_SECONDS }
  const details = Buffer.from(proto.CertChain.NoiseCertificate.Details.encode(fields).finish())
  return { details, signature: Buffer.from(Curve.sign(issuer.private, details)) }
}

/** The server's static key with a chain root -> intermediate -> leaf that a strict client can verify against `root.public`. */
export function makeIdentity(root = Curve.generateKeyPair()) {
  const intermediate = Curve.generateKeyPair()
  const staticKey = Curve.generateKeyPair()
  const chain = proto.CertChain.encode({
    intermediate: certificate(root, 1, 0, intermediate),
    leaf: certificate(intermediate, 2, 1, staticKey)
  }).finish()
  return { root, staticKey, chain: Buffer.from(chain) }
}

/** Prefix `payload` with its length. */
export function frame(payload) {
  const out = Buffer.allocUnsafe(LENGTH_PREFIX + payload.length)
  out.writeUIntBE(payload.length, 0, LENGTH_PREFIX)
  out.set(payload, LENGTH_PREFIX)
  return out
}

/** Cuts the byte stream of one client into its intro and frames. */
class Deframer {
  #buffer = EMPTY
  #introduced = false
  /** Bytes that an earlier login handed to the client to be routed by, or null. */
  routingInfo = null

  #takeIntro() {
    const buffer = this.#buffer
    let start = 0
    if (buffer.subarray(0, 2).toString('latin1') === 'ED') { // edge routing: "ED" 0 1, 3-byte length, bytes
      if (buffer.length < 7) return null
      start = 7 + buffer.readUIntBE(4, 3)
      if (buffer.length < start) return null
      this.routingInfo = Buffer.from(buffer.subarray(7, start))
    }
    if (buffer.length < start + INTRO_LENGTH) return null
    const intro = this.#take(start + INTRO_LENGTH).subarray(start)
    if (intro.subarray(0, 2).toString('latin1') !== 'WA') throw new Error('bad intro ' + intro.toString('hex'))
    this.#introduced = true
    return intro
  }

  /** Yields `{intro}` once, then `{payload}` for each complete frame. Throws on a wrong intro. */
  * feed(data) {
    this.#buffer = Buffer.concat([this.#buffer, data])
    if (!this.#introduced) {
      const intro = this.#takeIntro()
      if (!intro) return
      yield { intro }
    }
    while (this.#buffer.length >= LENGTH_PREFIX) {
      const end = LENGTH_PREFIX + this.#buffer.readUIntBE(0, LENGTH_PREFIX)
      if (this.#buffer.length < end) return
      yield { payload: this.#take(end).subarray(LENGTH_PREFIX) }
    }
  }

  #take(length) {
    const taken = Buffer.from(this.#buffer.subarray(0, length))
    this.#buffer = this.#buffer.subarray(length)
    return taken
  }
}

/** Handshake state (hash, chaining key, cipher key) until `finish`, then the two transport ciphers. */
export class ServerNoise {
  #identity
  #ephemeral = Curve.generateKeyPair()
  #deframer = new Deframer()
  #hash = Buffer.from(NOISE_MODE)
  #chaining = this.#hash
  #key = this.#hash
  #counter = 0
  #transport = null

  constructor(identity) { this.#identity = identity }

  get routingInfo() { return this.#deframer.routingInfo }

  /** Feed raw bytes of the socket; yields complete frame payloads, still encrypted. */
  * frames(data) {
    for (const { intro, payload } of this.#deframer.feed(data)) {
      if (intro) this.#mixHash(intro)
      else yield payload
    }
  }

  /** ClientHello payload -> ServerHello payload. `badCertificate` sends a chain of a root that nobody trusts. */
  hello(payload, { badCertificate = false } = {}) {
    const { clientHello } = proto.HandshakeMessage.decode(payload)
    const theirs = Buffer.from(clientHello.ephemeral)
    this.#mixHash(theirs)
    this.#mixHash(this.#ephemeral.public)
    this.#mixKey(Curve.sharedKey(this.#ephemeral.private, theirs))
    const encryptedStatic = this.#seal(this.#identity.staticKey.public)
    this.#mixKey(Curve.sharedKey(this.#identity.staticKey.private, theirs))
    const chain = this.#seal(badCertificate ? makeIdentity().chain : this.#identity.chain)
    const serverHello = { ephemeral: this.#ephemeral.public, static: encryptedStatic, payload: chain }
    return Buffer.from(proto.HandshakeMessage.encode({ serverHello }).finish())
  }

  /** ClientFinish payload -> `{clientStatic, login}`, where login is the decoded ClientPayload. Ends the handshake. */
  finish(payload) {
    const { clientFinish } = proto.HandshakeMessage.decode(payload)
    const clientStatic = this.#open(Buffer.from(clientFinish.static))
    this.#mixKey(Curve.sharedKey(this.#ephemeral.private, clientStatic))
    const login = proto.ClientPayload.decode(this.#open(Buffer.from(clientFinish.payload)))
    const keys = Buffer.from(hkdf(EMPTY, 64, { salt: this.#chaining, info: '' }))
    this.#transport = { readKey: keys.subarray(0, 32), writeKey: keys.subarray(32), reads: 0, writes: 0 }
    return { clientStatic, login }
  }

  decrypt(payload) {
    return aesDecryptGCM(payload, this.#transport.readKey, nonce(this.#transport.reads++), EMPTY)
  }

  encrypt(plain) {
    return aesEncryptGCM(plain, this.#transport.writeKey, nonce(this.#transport.writes++), EMPTY)
  }

  #mixHash(data) { this.#hash = sha256(Buffer.concat([this.#hash, data])) }

  #mixKey(secret) {
    const keys = Buffer.from(hkdf(Buffer.from(secret), 64, { salt: this.#chaining, info: '' }))
    this.#chaining = keys.subarray(0, 32)
    this.#key = keys.subarray(32)
    this.#counter = 0
  }

  #seal(plain) {
    const sealed = aesEncryptGCM(plain, this.#key, nonce(this.#counter++), this.#hash)
    this.#mixHash(sealed)
    return sealed
  }

  #open(sealed) {
    const plain = aesDecryptGCM(sealed, this.#key, nonce(this.#counter++), this.#hash)
    this.#mixHash(sealed)
    return Buffer.from(plain)
  }
}
