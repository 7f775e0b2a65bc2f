// A session: its generation, its link, its connection if it has one.
import { Connection } from './connection.mjs'
import { Refusal } from './link.mjs'
import { AuthState } from './vault.mjs'

const GRACE_MS = 3000

export class Session {
  paired = false
  connection = null
  quality = null // {rating, at}: what was told last of this device's number
  #shared
  #link = null
  #grace = null
  #unseen = null
  #closing = [] // those who wait for the end of the connection

  constructor(id, shared) {
    this.id = id
    this.#shared = shared
    this.auth = new AuthState(shared.vault, id)
  }

  get phase() { return this.connection?.phase ?? 'idle' }

  get state() {
    const { me = null, openedAt = null, qr = null, qrExpiresAt = null } = this.connection ?? {}
    return { phase: this.phase, paired: this.paired, me, openedAt, qr, qrExpiresAt, quality: this.quality }
  }

  /** After its generation was claimed, a link takes over; what ended while nobody was there is told to it. */
  attach(link) {
    clearTimeout(this.#grace)
    const before = this.#link
    this.#link = link
    if (before) {
      before.send({ ev: 'superseded', session: this.id, at: Date.now() })
      before.finish()
    }
    if (this.#unseen) link.send(this.#unseen)
    this.#unseen = null
  }

  detach(link) {
    if (link !== this.#link) return
    this.#link = null
    if (this.connection) this.#grace = setTimeout(() => this.#end(), GRACE_MS)
  }

  tell(name, fields = {}) {
    const event = { ev: name, session: this.id, at: Date.now(), ...fields }
    if (this.#link) this.#link.send(event)
    else if (name === 'closed') this.#unseen = event
  }

  phaseChanged() {
    this.#shared.host.tell('phase', { session: this.id, phase: this.phase })
  }

  ended(cause) {
    this.connection = null
    clearTimeout(this.#grace)
    this.tell('closed', cause)
    this.phaseChanged()
    for (const resolve of this.#closing.splice(0)) resolve()
  }

  #end(cause = { reason: 'closed_by_us' }) {
    this.connection?.end(cause)
  }

  // Commands

  open() {
    if (this.connection) throw new Refusal('busy', `the connection is ${this.phase}`)
    const connection = this.connection = new Connection(this, this.#shared)
    return () => [{}, () => { if (!connection.ended) connection.enter() }]
  }

  close() {
    this.#end()
    return {}
  }

  async logout() {
    if (!this.paired) throw new Refusal('not_paired', 'there is no device')
    const connection = this.opened()
    await Promise.race([connection.logOut(), new Promise(resolve => this.#closing.push(resolve))])
    if (connection.ended) throw new Refusal('closed', 'the connection ended before the logout')
    await this.#forget()
    connection.end({ code: 401, reason: 'intentional_logout', message: 'Intentional Logout' })
    return {}
  }

  pairing_code({ phone }) {
    if (typeof phone !== 'string' || !/^\d{5,15}$/.test(phone)) throw new Refusal('bad_request', 'phone: 5 to 15 digits')
    if (!this.connection) throw new Refusal('not_pairing', 'the connection is idle')
    return this.connection.pairingCode(phone)
  }

  async reset_auth() {
    if (this.connection) throw new Refusal('busy', `the connection is ${this.phase}`)
    await this.#forget()
    return {}
  }

  status() { return this.state }

  async #forget() {
    await this.auth.reset()
    this.paired = false
    this.quality = null
  }

  /** The connection, if it is open. */
  opened() {
    if (this.phase !== 'open') throw new Refusal('not_open', `the connection is ${this.phase}`)
    return this.connection
  }
}
