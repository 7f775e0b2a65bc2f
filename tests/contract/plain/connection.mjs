// One connection of a session, from `open` to its one `closed`.
import { Refusal } from './link.mjs'

const QR_MS = 60_000
const MAX_PENDING = 256
const DAY_MS = 86_400_000

export class Connection {
  phase = 'queued'
  ended = false
  silent = false
  phone = null
  me = null
  openedAt = null
  qr = null
  qrExpiresAt = null
  #session
  #shared
  #ticket
  #timer = null
  #pending = new Map() // messageId -> settle
  #code = null
  #device = null
  #delivering = false

  constructor(session, shared) {
    this.#session = session
    this.#shared = shared
    this.#ticket = { pairing: !session.paired, start: () => this.#connect() }
  }

  enter() {
    const position = this.#shared.gate.enter(this.#ticket)
    if (position === 0) return
    this.#session.phaseChanged()
    this.#tell('queued', { position })
  }

  end({ code = 0, reason, message = '', data = {} }) {
    if (this.ended) return
    this.ended = true
    clearTimeout(this.#timer)
    this.#shared.gate.leave(this.#ticket)
    const owner = this.phone && this.#shared.world.phone(this.phone)
    if (owner?.connection === this) owner.connection = null
    for (const settle of this.#pending.values()) settle(new Refusal('closed', 'the connection ended before the answer'))
    this.#session.ended({ code, reason, message, data })
  }

  async #connect() {
    this.#enterPhase('connecting')
    this.#tell('connecting')
    this.#timer = setTimeout(() => this.end({ code: 408, reason: 'open_deadline' }), this.#shared.options.openDeadlineMs)
    const began = Date.now()
    await this.#guarded(async () => {
      const { creds } = await this.#session.auth.load()
      if (this.ended) return
      this.#shared.world.answer(this, () => creds ? this.#guarded(() => this.#logIn(JSON.parse(creds), began)) : this.#showQr())
    })
  }

  async #logIn(device, began) {
    if (!this.#shared.world.knows(device)) return this.end({ code: 401, reason: 'login_failure', message: 'Connection Failure' })
    await this.#session.auth.commit({ creds: Buffer.from(JSON.stringify({ ...device, logins: (device.logins ?? 0) + 1 })) })
    if (this.ended) return
    clearTimeout(this.#timer)
    this.#shared.gate.leave(this.#ticket)
    this.#device = device
    this.phone = device.phone
    this.me = `${device.phone}:${device.device}@s.whatsapp.net`
    this.openedAt = Date.now()
    this.#shared.world.phone(this.phone).connection = this
    this.#enterPhase('open')
    this.#tell('open', { me: this.me, version: '1', loginMs: Date.now() - began })
    this.rated()
    this.#beatLater()
    this.deliver()
  }

  /** Tells how the server rates the number. */
  rated() {
    const { rating } = this.#shared.world.phone(this.phone)
    this.#session.quality = { rating, at: Date.now() }
    this.#tell('quality', this.#session.quality)
  }

  #beatLater() {
    this.#timer = setTimeout(() => {
      const began = performance.now()
      this.#timer = setTimeout(() => {
        this.#tell('heartbeat_missed')
        this.end({ code: 408, reason: 'heartbeat', message: 'the heartbeat was not answered' })
      }, this.#shared.options.heartbeatTimeoutMs)
      this.#shared.world.answer(this, () => {
        clearTimeout(this.#timer)
        this.#tell('rtt', { ms: performance.now() - began })
        if (Date.now() - this.#session.quality.at >= DAY_MS / 2) this.rated()
        this.#beatLater()
      })
    }, this.#shared.options.heartbeatMs)
  }

  // Pairing

  #showQr(number = 1) {
    clearTimeout(this.#timer)
    this.#shared.gate.leave(this.#ticket)
    this.qr = `plain:${this.#session.id}:${number}`
    this.qrExpiresAt = Date.now() + QR_MS
    if (this.phase !== 'pairing') this.#enterPhase('pairing')
    this.#tell('qr', { qr: this.qr, expiresAt: this.qrExpiresAt })
    const phone = this.#shared.options.phones[this.#session.id]
    if (phone) {
      this.#pair(phone)
      return
    }
    this.#timer = setTimeout(() => number < 5 ? this.#showQr(number + 1) : this.end({ code: 408, reason: 'pairing_expired' }), QR_MS)
  }

  pairingCode(phone) {
    if (this.phase !== 'pairing' || this.qr === null) throw new Refusal('not_pairing', `the connection is ${this.phase}`)
    this.#code = { phone, code: String(Math.floor(Math.random() * 1e8)).padStart(8, '0') }
    return { code: this.#code.code, expiresAt: this.qrExpiresAt }
  }

  scan(qr, phone) {
    if (qr !== this.qr) throw new Refusal('bad_request', 'that is not the QR on show')
    this.#pair(phone)
  }

  enterCode(code) {
    if (code !== this.#code?.code) throw new Refusal('bad_request', 'that is not the code')
    this.#pair(this.#code.phone)
  }

  #pair(phone) {
    clearTimeout(this.#timer)
    this.qr = this.qrExpiresAt = null
    const device = this.#shared.world.newDevice(phone)
    this.#shared.world.answer(this, () => this.#guarded(async () => {
      await this.#session.auth.commit({ creds: Buffer.from(JSON.stringify(device)) }, { paired: true })
      if (this.ended) return
      this.#session.paired = true
      this.#session.quality = null
      this.me = `${phone}:${device.device}@s.whatsapp.net`
      this.#tell('paired', { me: this.me })
      this.end({ code: 515, reason: 'stream_error', message: 'restart required' })
    }))
  }

  logOut() {
    return new Promise(resolve => this.#shared.world.answer(this, () => {
      this.#shared.world.remove(this.#device)
      resolve()
    }))
  }

  unlink() {
    this.#shared.world.remove(this.#device)
    this.end({ code: 401, reason: 'stream_error', message: 'conflict', data: { conflict: 'device_removed' } })
  }

  // Messages

  async send({ messageId, to, text }) {
    if (this.#pending.has(messageId)) throw new Refusal('busy', 'a message with this id is being sent')
    if (this.#pending.size >= MAX_PENDING) throw new Refusal('limit', `${MAX_PENDING} messages are being sent`)
    const began = performance.now()
    let settle
    const outcome = new Promise(resolve => { settle = resolve })
    this.#pending.set(messageId, settle)
    const late = setTimeout(() => settle(new Refusal('ack_timeout', 'no acknowledgement')), this.#shared.options.ackTimeoutMs)
    void this.#guarded(async () => {
      await this.#session.auth.commit({ [`ratchet-${to}`]: Buffer.from(messageId) })
      if (this.ended) return
      this.#shared.host.tell('sent', { session: this.#session.id, messageId })
      this.#tell('sent', { messageId })
      this.#shared.world.post(this, { messageId, to, text }, settle)
    })
    const result = await outcome
    clearTimeout(late)
    this.#pending.delete(messageId)
    if (result instanceof Refusal) throw result
    const ms = performance.now() - began
    this.#tell('ack', { messageId, error: result, ms })
    if (result !== null) throw new Refusal('nack', `the server refused it: ${result}`, { error: result })
    return { at: Date.now(), ms }
  }

  /** Takes what is in the mailbox, one after the other: told, stored, keys committed, acknowledged. */
  deliver() {
    const { world, host } = this.#shared
    const { mailbox } = world.phone(this.phone)
    if (this.#delivering || this.ended || this.silent || mailbox.length === 0) return
    this.#delivering = true
    const [item] = mailbox
    const { kind, messageId } = item
    const session = this.#session.id
    const fields = kind === 'receipt' ? { session, messageId, type: item.type }
      : { session, messageId, from: `${item.from}@s.whatsapp.net`, timestamp: item.timestamp, text: item.text }
    if (kind === 'receipt') this.#tell('receipt', { messageId, type: item.type })
    else this.#tell('received', { messageId })
    host.keep(kind, fields, () => !this.ended, () => void this.#guarded(async () => {
      if (this.ended) return
      if (kind === 'message') await this.#session.auth.commit({ [`ratchet-${item.from}`]: Buffer.from(messageId) })
      if (this.ended) return
      mailbox.shift()
      if (kind === 'message') world.receipt(item.from, messageId)
      this.#delivering = false
      this.deliver()
    }))
  }

  // Common

  async #guarded(work) {
    try {
      await work()
    } catch (error) {
      const code = error instanceof Refusal ? error.code : 'internal'
      const reason = { fenced: 'fenced', vault_unavailable: 'vault_unavailable', limit: 'auth_too_large' }[code] ?? 'error'
      this.end({ reason, message: error.message, data: { vault: code } })
    }
  }

  #enterPhase(phase) {
    this.phase = phase
    this.#session.phaseChanged()
  }

  #tell(name, fields = {}) {
    this.#session.tell(name, fields)
  }
}
