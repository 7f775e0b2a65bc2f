// One session: its generation, what its link may command, and the connection it may have.
import { Audience } from './audience.mjs'
import { Connection } from './connection.mjs'
import { ownCause } from './disconnect.mjs'
import { ProtocolError } from './errors.mjs'
import { Keystore } from './keystore.mjs'
import { Lifecycle } from './lifecycle.mjs'
import { describe, log } from './log.mjs'
import { Prepared } from './prepared.mjs'
import { Recent } from './recent.mjs'
import { monotonic } from './timers.mjs'
import { VaultChannel } from './vault.mjs'

const PHONE = /^\d{5,15}$/
const LOGGED_OUT = 401
const CLOSED_BY_US = ownCause('closed_by_us', 'closed by us')
const LOGOUT = ownCause('intentional_logout', 'Intentional Logout', { code: LOGGED_OUT })

export class Session {
  #shared // {options, vault, gate, kept, tellHost(name, fields), counts, now()}
  #audience
  #channel
  #lifecycle = new Lifecycle()
  #recent = new Recent(messageId => this.#audience.tellHost('wanted', { messageId }))
  #prepared = new Prepared(attempt => this.#load(attempt))
  #connection = null
  #proxy = null // of the current attempt
  #highest = 0 // generation that claimed, or is claiming
  #claims = 0 // on their way
  #paired = false
  #fresh = false // paired, and the first login is still to come
  #loggingOut = false
  #now = blank() // {me, openedAt, qr, qrExpiresAt} of the current attempt
  #finished = [] // resolvers of those who wait for the end of the attempt

  constructor(id, shared) {
    this.id = id
    this.#shared = shared
    this.#audience = new Audience(id, shared, () => void this.close())
    this.#channel = new VaultChannel(shared.vault, id)
  }

  get phase() { return this.#lifecycle.phase }

  get state() {
    return { phase: this.phase, paired: this.#paired, proxy: this.phase === 'idle' ? null : this.#proxy?.id ?? null, ...this.#now }
  }

  /** Whether there is neither a link, nor one that comes, nor a connection. */
  get isGone() { return this.phase === 'idle' && this.#claims === 0 && !this.#audience.hasLink }

  /** Whether the end of a connection waits for somebody to tell it to. */
  get isUnheard() { return this.#audience.isUnheard }

  // Links

  /** Claims `generation`, ends the link before, and says whether a connection was adopted. Rejects with `fenced`, `vault_unavailable`. */
  async claim(generation) {
    if (generation <= this.#highest) throw new ProtocolError('fenced', `generation ${this.#highest} is known here`)
    this.#highest = generation
    this.#claims++
    const paired = await this.#channel.claim(generation).catch(error => {
      if (this.#highest === generation) this.#highest = this.#channel.generation
      throw error
    }).finally(() => this.#claims--) // its link is attached before anybody else can ask
    this.#audience.supersede()
    if (this.phase === 'idle') this.#paired = paired
    else this.#audience.awaitLink()
    return this.phase !== 'idle'
  }

  /** See Audience.attach. */
  attach(link) { this.#audience.attach(link) }

  /** A link ended; if it was the session's own, its connection is kept for a successor, but not for long. */
  detach(link) {
    if (!this.#audience.detach(link)) return
    if (this.phase === 'idle') this.#rest()
    else this.#audience.awaitLink()
  }

  /** The session may never come back: its texts the host has as well. */
  #rest() {
    if (this.isGone) this.#recent.clear()
  }

  // Commands

  /** Begins an attempt, through `proxy` unless that is null, and gives the function that starts it; its events follow. Throws `busy` unless idle. */
  open(proxy) {
    const attempt = this.#lifecycle.begin()
    this.#proxy = proxy
    this.#now = { ...blank(), me: this.#now.me }
    return () => this.#enter(attempt)
  }

  #enter(attempt) {
    const pairing = !this.#paired || this.#fresh
    const position = this.#shared.gate.enter(this.id, pairing, () => void this.#connect(attempt))
    if (position === 0) return
    this.#audience.tell('queued', { position })
    this.#tellPhase({ pairing })
  }

  /** Resolves when the attempt that waits has all that it needs to begin. */
  async prepare() {
    if (this.phase === 'queued') await this.#prepared.of(this.#lifecycle.attempt)
  }

  /** Resolves when there is no connection any more. */
  async close() {
    if (this.phase === 'idle') return
    const finished = new Promise(resolve => this.#finished.push(resolve))
    this.#end(CLOSED_BY_US)
    await finished
  }

  /** Removes the device at the server, deletes the auth state, closes. Rejects with `not_paired`, `not_open`, `nack`, `ack_timeout`, `closed`. */
  async logout() {
    if (!this.#paired) throw new ProtocolError('not_paired', 'there is no device to log out')
    const connection = this.#openConnection()
    if (this.#loggingOut) throw new ProtocolError('busy', 'a logout is on its way')
    this.#loggingOut = true
    const finished = new Promise(resolve => this.#finished.push(resolve))
    try {
      await connection.logout()
    } catch (error) {
      this.#loggingOut = false
      throw error
    }
    connection.end(LOGOUT)
    await finished
  }

  async pairingCode(phone) {
    if (typeof phone !== 'string' || !PHONE.test(phone)) throw new ProtocolError('bad_request', 'phone must be 5 to 15 digits')
    if (this.phase !== 'pairing') throw new ProtocolError('not_pairing', `the connection is ${this.phase}`)
    return this.#connection.pairingCode(phone)
  }

  async resetAuth() {
    if (this.phase !== 'idle') throw new ProtocolError('busy', `the connection is ${this.phase}`)
    await this.#channel.reset()
    this.#forget()
  }

  /** {at, ms} when the server has acknowledged; see Sends.send. Throws `not_open`. */
  send(message) { return this.#openConnection().send(message) }

  /** The host's answer to `wanted`: the text, or null. */
  told(messageId, text) { this.#recent.answered(messageId, text) }

  #openConnection() {
    if (!this.#connection?.isOpen) throw new ProtocolError('not_open', `the connection is ${this.phase}`)
    return this.#connection
  }

  // The attempt

  async #connect(attempt) {
    if (!this.#advance(attempt, 'connecting')) return
    this.#audience.tell('connecting')
    const keystore = await this.#prepared.of(attempt)
    this.#prepared.forget()
    if (!keystore || !this.#lifecycle.isLive(attempt)) return
    this.#paired = keystore.paired
    this.#connection = new Connection({
      session: this.id, keystore, recent: this.#recent, options: this.#shared.options, proxy: this.#proxy, on: this.#listeners(attempt)
    })
    this.#connection.start()
  }

  async #load(attempt) {
    try {
      return await Keystore.load(this.#channel, error => this.#vaultFailed(attempt, error))
    } catch (error) {
      this.#vaultFailed(attempt, error)
      return null
    }
  }

  #vaultFailed(attempt, error) {
    if (!(error instanceof ProtocolError)) log('error', 'auth_state_failed', { session: this.id, ...describe(error) })
    if (!this.#lifecycle.isLive(attempt)) return
    const code = error instanceof ProtocolError ? error.code : 'internal'
    this.#end(ownCause(REASONS[code] ?? 'vault_unavailable', error instanceof ProtocolError ? error.message : 'the auth state can not be used', { data: { vault: code } }))
  }

  #listeners(attempt) {
    const { counts } = this.#shared
    return {
      reached: () => this.#audience.tellHost('reached', { clock: Math.ceil(monotonic()) }),
      qr: ({ qr, expiresAt }) => {
        if (this.phase === 'connecting') this.#advance(attempt, 'pairing')
        this.#shared.gate.leave(this.id)
        Object.assign(this.#now, { qr, qrExpiresAt: expiresAt })
        this.#audience.tell('qr', { qr, expiresAt })
      },
      paired: ({ me }) => {
        counts.pairings++
        this.#paired = this.#fresh = true
        this.#now = { ...blank(), me }
        this.#audience.tell('paired', { me })
      },
      open: ({ me, version, loginMs }) => {
        counts.logins++
        this.#fresh = false
        this.#shared.gate.leave(this.id)
        this.#now = { ...blank(), me, openedAt: this.#shared.now() }
        this.#advance(attempt, 'open')
        this.#audience.tell('open', { me, version, loginMs })
      },
      closed: cause => void this.#closed(attempt, cause),
      heard: () => this.#audience.tell('heard'),
      rtt: ms => this.#audience.tell('rtt', { ms }),
      missed: () => this.#audience.tell('heartbeat_missed'),
      sent: messageId => {
        counts.sends++
        this.#audience.tellHost('sent', { messageId })
        this.#audience.tell('sent', { messageId })
      },
      ack: fields => {
        counts[fields.error === null ? 'acks' : 'nacks']++
        this.#audience.tell('ack', fields)
      },
      receipt: (fields, stored) => {
        this.#audience.tell('receipt', fields)
        return this.#audience.keep('receipt', fields, stored)
      },
      message: (fields, stored) => {
        counts.received++
        this.#audience.tell('received', { messageId: fields.messageId })
        return this.#audience.keep('message', fields, stored)
      },
      undecryptable: ({ messageId, from }) => {
        counts.undecryptable++
        this.#audience.tell('undecryptable', { messageId })
        if (!this.#audience.keepLoosely('undecryptable', { messageId, from })) counts.untold++
      },
      timelock: fields => this.#audience.tell('timelock', fields),
      message_cap: fields => this.#audience.tell('message_cap', fields)
    }
  }

  #end(cause) {
    if (this.#connection) this.#connection.end(cause)
    else void this.#closed(this.#lifecycle.attempt, cause)
  }

  /** The one end of an attempt. */
  async #closed(attempt, cause) {
    const isLogout = this.#loggingOut && cause.code === LOGGED_OUT
    if (!this.#lifecycle.end(attempt, isLogout ? LOGOUT : cause)) return
    if (isLogout) await this.#deleteAuth()
    const final = this.#lifecycle.finish(attempt)
    this.#prepared.forget()
    this.#connection = null
    this.#loggingOut = false
    this.#now = { ...blank(), me: this.#now.me }
    this.#shared.counts.closed++
    this.#shared.gate.leave(this.id)
    this.#audience.tellClosed(final)
    this.#tellPhase()
    this.#rest()
    for (const resolve of this.#finished.splice(0)) resolve()
  }

  /** The server has removed the device already, so what can't be deleted now is worthless: the next login gets a 401. */
  async #deleteAuth() {
    try {
      await this.#channel.reset()
    } catch (error) {
      log('warning', 'auth_state_left', { session: this.id, ...describe(error) })
      return
    }
    this.#forget()
  }

  #forget() {
    this.#paired = this.#fresh = false
    this.#now.me = null
  }

  // Events

  #advance(attempt, phase) {
    const moved = this.#lifecycle.advance(attempt, phase)
    if (moved) this.#tellPhase()
    return moved
  }

  #tellPhase(fields = {}) {
    this.#audience.tellHost('phase', { phase: this.phase, ...fields })
  }
}

/** Error code of the vault -> reason of the closed event. */
const REASONS = { fenced: 'fenced', limit: 'auth_too_large', internal: 'error' }

const blank = () => ({ me: null, openedAt: null, qr: null, qrExpiresAt: null })
