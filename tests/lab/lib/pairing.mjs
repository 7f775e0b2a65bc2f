// Pairing by QR and by code: the server's part and, played for the test, the phone's.
import { randomBytes } from 'node:crypto'
import { Curve, aesDecryptCTR, aesDecryptGCM, aesEncryptCTR, derivePairingCodeKey, hkdf, hmacSign, proto } from '@whiskeysockets/baileys'
import { Device } from './accounts.mjs'
import { SERVER, bytes, child, lidJid, node, parseJid, phoneJid, uint, unixSeconds } from './stanza.mjs'

const QR_REFS = 6 // as many codes as the client shows before it gives up
const RESTART = 515

export class Pairing {
  #lab
  #refs = new Map() // ref in a QR -> connection that shows it
  #codes = new Map() // phone number -> state of a pairing by code

  constructor(lab) { this.#lab = lab }

  // ---- the server's part

  /** A client without credentials is here: give it references to show as QR codes. */
  begin(connection, registration) {
    connection.registration = {
      registrationId: uint(registration.eRegid),
      signedPreKey: {
        id: uint(registration.eSkeyId), value: Buffer.from(registration.eSkeyVal), signature: Buffer.from(registration.eSkeySig)
      }
    }
    const refs = Array.from({ length: QR_REFS }, () => '2@' + randomBytes(24).toString('base64'))
    for (const ref of refs) this.#refs.set(ref, connection)
    this.#lab.journal.add('pair_device', { ...connection.who, version: connection.version })
    const offer = node('pair-device', {}, refs.map(ref => node('ref', {}, Buffer.from(ref))))
    const iq = node('iq', { from: SERVER, type: 'set', id: this.#lab.newId('pair'), xmlns: 'md' }, [offer])
    connection.later(connection.policy.loginDelayMs, () => connection.send(iq))
  }

  /** The connection is gone: its codes are worth nothing any more. */
  end(connection) {
    for (const [ref, owner] of this.#refs) if (owner === connection) this.#refs.delete(ref)
    for (const [phone, state] of this.#codes) if (state.connection === connection) this.#codes.delete(phone)
  }

  /** First stanza of a pairing by code: the client's ephemeral key, wrapped with a key derived from the code. */
  companionHello(connection, request) {
    const phone = this.#lab.accounts.resolve(request.attrs.jid).account.user
    const wrapped = bytes(request, 'link_code_pairing_wrapped_companion_ephemeral_pub')
    const ref = randomBytes(16)
    this.#codes.set(phone, { connection, ref, wrapped })
    this.#lab.journal.add('pairing_code_requested', { ...connection.who, account: phone })
    return [node('link_code_companion_reg', { stage: 'companion_hello' }, [node('link_code_pairing_ref', {}, ref)])]
  }

  /** Last stanza of a pairing by code: the client's key bundle. Yields the secret that authenticates the pairing. */
  companionFinish(connection, request) {
    const phone = parseJid(request.attrs.jid)?.user
    const state = this.#codes.get(phone)
    if (state?.connection !== connection || !state.ephemeral) throw new Error('no pairing by code under way')
    this.#codes.delete(phone)
    const account = this.#lab.accounts.get(phone)
    const shared = Curve.sharedKey(state.ephemeral.private, state.companionEphemeral)
    const bundle = bytes(request, 'link_code_pairing_wrapped_key_bundle') // salt 32, iv 12, then AES-GCM
    const key = hkdf(shared, 32, { salt: bundle.subarray(0, 32), info: 'link_code_pairing_key_bundle_encryption_key' })
    const plain = aesDecryptGCM(bundle.subarray(44), Buffer.from(key), bundle.subarray(32, 44), Buffer.alloc(0))
    const identity = Buffer.from(plain.subarray(0, 32)) // then the primary's identity, then 32 random bytes
    const secretInput = Buffer.concat([shared, account.phone.sharedKey(identity), plain.subarray(64, 96)])
    const advSecret = Buffer.from(hkdf(secretInput, 32, { info: 'adv_secret' }))
    this.#complete(connection, account, identity, advSecret, 'code')
  }

  // ---- the phone's part

  /** The phone scans `qr`. Returns the JID that the client will have. Throws when no live connection shows it. */
  scan(qr, phone) {
    const [ref, , identity, advSecret] = String(qr).split('#').pop().split(',')
    const connection = this.#refs.get(ref)
    if (!connection) throw new Error('no live connection shows this QR code')
    const account = this.#lab.accounts.get(phone)
    return this.#complete(connection, account, Buffer.from(identity, 'base64'), Buffer.from(advSecret, 'base64'), 'qr')
  }

  /** The phone's user typed the 8-character code. A wrong one makes the client's next step fail, as in reality. */
  async enterCode(phone, code) {
    const account = this.#lab.accounts.get(phone)
    const state = this.#codes.get(account.user)
    if (!state) throw new Error(`no pairing by code under way for ${phone}`)
    const { wrapped, connection, ref } = state // salt 32, iv 16, then AES-CTR
    const theirKey = await derivePairingCodeKey(code, wrapped.subarray(0, 32))
    state.companionEphemeral = aesDecryptCTR(wrapped.subarray(48), theirKey, wrapped.subarray(32, 48))
    state.ephemeral = Curve.generateKeyPair()
    const salt = randomBytes(32)
    const iv = randomBytes(16)
    const ours = aesEncryptCTR(state.ephemeral.public, await derivePairingCodeKey(code, salt), iv)
    const attrs = { from: SERVER, type: 'link_code_companion_reg', id: this.#lab.newId('code'), t: unixSeconds() }
    connection.send(node('notification', attrs, [
      node('link_code_companion_reg', { stage: 'primary_hello' }, [
        node('link_code_pairing_wrapped_primary_ephemeral_pub', {}, Buffer.concat([salt, iv, ours])),
        node('primary_identity_pub', {}, account.phone.identityKey),
        node('link_code_pairing_ref', {}, ref)])]))
  }

  /** Send pair-success. The device exists once the client has signed; an interrupted pairing leaves nothing. */
  #complete(connection, account, identity, advSecret, method) {
    const deviceId = account.newDeviceId()
    const jid = phoneJid(account.user, deviceId)
    const signed = account.phone.signDevice(identity, deviceId)
    const details = Buffer.from(proto.ADVSignedDeviceIdentity.encode(signed).finish())
    const proof = proto.ADVSignedDeviceIdentityHMAC.encode({ details, hmac: hmacSign(details, advSecret) }).finish()
    const success = node('pair-success', {}, [
      node('device-identity', {}, Buffer.from(proof)),
      node('platform', { name: 'android' }),
      node('device', { jid, lid: lidJid(account.lid, deviceId) })])
    const iq = node('iq', { from: SERVER, type: 'set', id: this.#lab.newId('pair'), t: unixSeconds() }, [success])
    connection.query(iq, answer => this.#paired({ connection, account, identity, deviceId, method, answer }))
    return { jid }
  }

  #paired({ connection, account, identity, deviceId, method, answer }) {
    const device = account.add(new Device({ id: deviceId, noiseKey: connection.noiseKey, identity, ...connection.registration }))
    device.identityProof = bytes(child(answer, 'pair-device-sign'), 'device-identity') ?? null
    device.awaitsHistory = this.#lab.accounts.policyOf(account).historySync
    account.known = true
    this.#lab.journal.add('paired', { conn: connection.id, account: account.user, device: deviceId, method })
    this.#lab.announce(account, device, 'add')
    connection.streamError({ code: RESTART }) // the real server asks for a restart, too
  }
}
