// The way of a message: acknowledged, forwarded to the recipient's devices, kept until they acknowledge it, receipted.
import { randomBytes } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { proto } from '@whiskeysockets/baileys'
import { warnWhenLow } from './iq.mjs'
import { Placeholders } from './placeholders.mjs'
import { child, children, isLid, lidJid, node, phoneJid, unixSeconds } from './stanza.mjs'

const LOG_LIMIT = 100_000
/** Receipts between a client and its own phone or the server: nobody else gets them. */
const PRIVATE_RECEIPTS = new Set(['sender', 'peer_msg', 'hist_sync', 'server-error', 'read-self'])

const messageKey = id => `message|${id}`
const receiptKey = ({ id, type = '' }, peer) => `receipt|${id}|${type}|${peer}`
const newMessageId = () => '3EB0' + randomBytes(9).toString('hex').toUpperCase()

/** Every message stanza that clients sent, repeats included. */
class MessageLog {
  #records = []
  #next = 1

  add(record) {
    const entry = { seq: this.#next++, t: Date.now(), ...record }
    this.#records.push(entry)
    if (this.#records.length > LOG_LIMIT) this.#records.splice(0, LOG_LIMIT / 10)
    return entry
  }

  since(seq) { return this.#records.filter(record => record.seq > seq) }
  clear() { this.#records = [] }
}

export class Router {
  log = new MessageLog()
  #lab
  #placeholders = new Placeholders()

  constructor(lab) { this.#lab = lab }

  // ---- from clients

  async message(connection, stanza) {
    const { account, device, policy } = connection
    const { id, to } = stanza.attrs
    const copies = this.#copies(stanza)
    const record = this.log.add({
      account: account.user, device: device.id, id, to, type: stanza.attrs.type ?? null, category: stanza.attrs.category ?? null,
      retry: Number(child(stanza, 'enc')?.attrs.count ?? 0), acked: false, error: null, text: null,
      recipients: copies.map(copy => `${copy.account.user}:${copy.deviceId}`)
    })
    account.sent++
    this.#lab.stats.messages++
    if (policy.decrypt) record.text = await this.#read(connection, stanza, copies)
    this.#lab.journal.add('message', { ...connection.who, id, to, retry: record.retry })
    if (policy.banAfter !== null && account.sent >= policy.banAfter) return this.#ban(connection)
    if (policy.dropAck === true) return
    if (policy.dropAck === false) this.#acknowledge(connection, record, policy)
    if (policy.ackError !== null) return
    for (const copy of copies) this.#forward(connection, stanza, copy)
    this.#phoneReceipts(connection, stanza, policy)
    if (stanza.attrs.category === 'peer') await this.#asked(connection, stanza, copies)
  }

  receipt(connection, stanza) {
    const { account, device } = connection
    const { id, to, type, participant } = stanza.attrs
    const others = Array.isArray(stanza.content) ? children(stanza.content[0], 'item').map(item => item.attrs.id) : []
    for (const read of [id, ...others]) connection.settle(messageKey(read))
    this.#lab.stats.receipts++
    this.#lab.journal.add('receipt', { ...connection.who, id, to: to ?? null, type: type ?? null, more: others })
    connection.send(node('ack', { class: 'receipt', id, from: to, type, participant }))
    const target = PRIVATE_RECEIPTS.has(type) ? null : this.#lab.accounts.resolve(to)
    if (!target) return undefined
    if (type === 'retry' && target.deviceId === 0) return this.#sendAgain(connection, stanza, target.account)
    const from = isLid(to) ? lidJid(account.lid, device.id) : phoneJid(account.user, device.id)
    const forwarded = node('receipt', { from, id, type, participant, t: unixSeconds() }, stanza.content)
    const receivers = type === 'retry' ? [target.account.devices.get(target.deviceId)] : target.account.companions()
    for (const receiver of receivers) {
      if (receiver) this.push(target.account, receiver, receiptKey(forwarded.attrs, from), forwarded)
    }
    return undefined
  }

  clientAck(connection, { attrs }) {
    if (attrs.class === 'message') connection.settle(messageKey(attrs.id))
    else if (attrs.class === 'receipt') connection.settle(receiptKey(attrs, attrs.to))
    if (attrs.error) this.#lab.journal.add('client_nack', { ...connection.who, class: attrs.class, id: attrs.id, error: attrs.error })
    else if (attrs.class === 'message') this.#lab.journal.add('client_ack', { ...connection.who, id: attrs.id })
  }

  // ---- to clients

  /** Keep the stanza for the device until it acknowledges it; hand it over now if the device is connected and hears. */
  push(account, device, key, stanza) {
    device.hold(key, stanza)
    for (const connection of this.#lab.connectionsOf(account, device)) if (connection.listening) connection.handOver(key, stanza)
  }

  /** Hand over what is kept and not yet sent on this connection; returns how many. `offline`: marked as kept while away. */
  flush(connection, { offline = false } = {}) {
    if (!connection.listening) return 0
    const waiting = [...connection.device.pending].filter(([key]) => !connection.handed.has(key))
    for (const [index, [key, stanza]] of waiting.entries()) {
      const attrs = offline ? { ...stanza.attrs, offline: String(index) } : stanza.attrs
      connection.handOver(key, { ...stanza, attrs })
    }
    return waiting.length
  }

  /** The phone of `from` writes `text` to all companion devices of `to`, or a `placeholder` that only the phone of `to` can read. Returns `{id, devices}`. */
  async deliver({ to, from, text, id = newMessageId(), placeholder = false }) {
    const account = this.#lab.accounts.get(to)
    const sender = this.#lab.accounts.get(from)
    const devices = account.companions()
    if (devices.length === 0) throw new Error(`${to} has no device with keys`)
    const attrs = { from: phoneJid(sender.user), id, type: 'text', t: unixSeconds(), notify: `lab ${sender.user}`, sender_lid: lidJid(sender.lid) }
    if (placeholder) {
      this.#placeholders.add(account, { from: sender.user, id, text })
      for (const device of devices) this.push(account, device, messageKey(id), node('message', attrs, [node('unavailable')]))
    } else for (const device of devices) await this.#phoneSends(sender, account, device, attrs, { conversation: text })
    this.#lab.journal.add('delivered', { account: account.user, from: sender.user, id })
    return { id, devices: devices.map(device => device.id) }
  }

  /** The phone's first message to a new device: an empty initial history, for which Baileys waits up to 20 s. */
  sendHistory(connection) {
    const { account, device } = connection
    device.awaitsHistory = false
    const syncType = proto.HistorySync.HistorySyncType.INITIAL_BOOTSTRAP
    const history = proto.HistorySync.encode({ syncType, conversations: [], progress: 100, chunkOrder: 1 }).finish()
    const protocolMessage = {
      type: proto.Message.ProtocolMessage.Type.HISTORY_SYNC_NOTIFICATION,
      historySyncNotification: { syncType, initialHistBootstrapInlinePayload: deflateSync(history), chunkOrder: 1, progress: 100 }
    }
    const attrs = { from: phoneJid(account.user), id: newMessageId(), type: 'text', category: 'peer', t: unixSeconds() }
    this.#phoneSends(account, account, device, attrs, { protocolMessage }).catch(error => this.#failed(connection, 'history', error))
  }

  // ---- the parts

  /** `{account, deviceId, enc}` for each device that the sender encrypted for. Groups and broadcasts have none. */
  #copies(stanza) {
    const direct = child(stanza, 'enc') // one device only: a resend, or a message to the sender's own phone
    const list = direct
      ? [{ jid: stanza.attrs.to, enc: direct }]
      : children(child(stanza, 'participants'), 'to').map(to => ({ jid: to.attrs.jid, enc: child(to, 'enc') }))
    return list.flatMap(({ jid, enc }) => {
      const target = enc && this.#lab.accounts.resolve(jid)
      return target ? [{ ...target, enc }] : []
    })
  }

  #acknowledge(connection, record, { ackError, ackDelayMs }) {
    const { id, to } = record
    const error = ackError === null ? undefined : String(ackError)
    const ack = node('ack', { class: 'message', id, from: to, t: unixSeconds(), error })
    const send = () => {
      connection.send(ack)
      record.acked = error === undefined
      record.error = error ?? null
      this.#lab.journal.add(error ? 'nack' : 'ack', { ...connection.who, id, error })
    }
    if (ackDelayMs > 0) connection.later(ackDelayMs, send)
    else send()
  }

  #ban(connection) {
    connection.account.loginFailure = { reason: '403' }
    this.#lab.journal.add('banned', connection.who)
    connection.streamError({ code: 401, child: 'conflict', childAttrs: { type: 'device_removed' } })
  }

  /** Companion devices get the ciphertext as it is; the phone's copy ends here. */
  #forward(connection, stanza, { account, deviceId, enc }) {
    if (deviceId === 0) return
    const device = account.devices.get(deviceId)
    if (!device?.reachable) {
      this.#lab.journal.add('undeliverable', { account: account.user, device: deviceId, id: stanza.attrs.id })
      return
    }
    const { account: sender, device: { id: senderDevice }, pushName } = connection
    const { id, to, type, category, recipient } = stanza.attrs
    const own = account === sender
    const byLid = isLid(recipient ?? to)
    const attrs = {
      from: byLid ? lidJid(sender.lid, senderDevice) : phoneJid(sender.user, senderDevice),
      [byLid ? 'sender_pn' : 'sender_lid']: byLid ? phoneJid(sender.user) : lidJid(sender.lid),
      recipient: own ? recipient ?? to : undefined, // says to our other devices whom we wrote to
      id, type, category, t: unixSeconds(), notify: pushName ?? `lab ${sender.user}`
    }
    const identity = enc.attrs.type === 'pkmsg' ? child(stanza, 'device-identity') : undefined
    this.push(account, device, messageKey(id), node('message', attrs, identity ? [enc, identity] : [enc]))
  }

  /** A recipient without companion devices has a phone that is always on: it receipts. */
  #phoneReceipts({ account, device }, stanza, { deliveryMs, readMs, ackDelayMs }) {
    const { id, to, category } = stanza.attrs
    const target = this.#lab.accounts.resolve(to)?.account
    if (!target || category === 'peer' || target === account || target.companions().length > 0) return
    for (const [type, ms] of [[undefined, deliveryMs], ['read', readMs]]) {
      if (ms === null) continue
      this.#lab.later(ms + ackDelayMs, () => {
        const receipt = node('receipt', { from: to, id, type, t: unixSeconds() })
        this.push(account, device, receiptKey(receipt.attrs, to), receipt)
      })
    }
  }

  /** Text of the copy for the recipient's phone; when it can't be read, "!" and the error, and the phone asks again. */
  async #read({ account, device }, stanza, copies) {
    const copy = copies.find(({ deviceId, account: target }) => deviceId === 0 && target !== account)
    if (!copy) return null
    try {
      return await copy.account.phone.read(account, device.id, copy.enc)
    } catch (error) {
      this.#askAgain(account, device, stanza, copy.account)
      return '!' + error.message
    }
  }

  /** A device asks its own phone for something. */
  async #asked({ account, device }, { attrs: { id } }, [copy]) {
    if (copy?.account !== account || copy.deviceId !== 0) return
    const answer = this.#placeholders.answer(account, id, await account.phone.open(account, device.id, copy.enc))
    if (!answer) return
    const attrs = { from: phoneJid(account.user), id: newMessageId(), type: 'text', category: 'peer', t: unixSeconds() }
    await this.#phoneSends(account, account, device, attrs, answer)
  }

  #askAgain(account, device, stanza, asker) {
    const { id, to } = stanza.attrs
    const retry = node('retry', { count: '1', id, t: unixSeconds(), v: '1' })
    const receipt = node('receipt', { from: to, id, type: 'retry', t: unixSeconds() }, [retry])
    this.#lab.journal.add('phone_retry', { account: asker.user, from: account.user, id })
    this.push(account, device, receiptKey(receipt.attrs, to), receipt)
  }

  async #phoneSends(sender, account, device, attrs, message) {
    const { type, ciphertext } = await sender.phone.encrypt(account, device, attrs.id, message)
    warnWhenLow(this.#lab, account, device)
    this.push(account, device, messageKey(attrs.id), node('message', attrs, [node('enc', { v: '2', type }, ciphertext)]))
  }

  /** A client couldn't read what a phone sent: encrypt it again in a new session. */
  async #sendAgain({ account, device, who }, receipt, sender) {
    const { id } = receipt.attrs
    const again = await sender.phone.encryptAgain(account, device, id, receipt)
    this.#lab.journal.add('phone_resend', { ...who, from: sender.user, id, known: again !== null })
    if (!again) return
    const own = sender === account
    const attrs = {
      from: phoneJid(sender.user), id, type: 'text', t: unixSeconds(), category: own ? 'peer' : undefined,
      sender_lid: own ? undefined : lidJid(sender.lid), notify: own ? undefined : `lab ${sender.user}`
    }
    const count = child(receipt, 'retry')?.attrs.count ?? '1'
    const enc = node('enc', { v: '2', type: again.type, count }, again.ciphertext)
    this.push(account, device, messageKey(id), node('message', attrs, [enc]))
  }

  #failed(connection, what, error) {
    this.#lab.journal.add('connection_error', { ...connection.who, error: `${what}: ${error.stack}` })
  }
}
