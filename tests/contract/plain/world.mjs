// What this connector connects to: a server inside the process, which knows phones, devices and mailboxes.

const ANSWER_MS = 5

export class World {
  #phones = new Map() // phone -> {connection, mailbox, refuses, accepted, rating}
  #removed = new Set() // devices that were removed on their phone
  #devices = 0

  phone(number) {
    if (!this.#phones.has(number)) this.#phones.set(number, { connection: null, mailbox: [], refuses: null, accepted: new Set(), rating: 'unknown' })
    return this.#phones.get(number)
  }

  /** From now on the number is rated so. */
  rate(number, rating) {
    const phone = this.phone(number)
    phone.rating = rating
    phone.connection?.rated()
  }

  newDevice(phone) {
    return { phone, device: 100 + ++this.#devices }
  }

  knows({ phone, device }) {
    return !this.#removed.has(`${phone}:${device}`)
  }

  remove({ phone, device }) {
    this.#removed.add(`${phone}:${device}`)
  }

  /** The server's answer comes a moment later, unless the connection is silent or over by then. */
  answer(connection, work) {
    setTimeout(() => { if (!connection.ended && !connection.silent) work() }, ANSWER_MS)
  }

  /** A message for `to`; `answered(error)` when the server has it or refuses it. */
  post(connection, { messageId, to, text }, answered) {
    const from = connection.phone
    const sender = this.phone(from)
    this.answer(connection, () => answered(sender.refuses))
    if (sender.refuses !== null || sender.accepted.has(messageId)) return
    sender.accepted.add(messageId)
    if (this.#phones.get(to)?.connection) this.#put(to, { kind: 'message', messageId, from, text, timestamp: Date.now() })
    else setTimeout(() => this.receipt(from, messageId), 2 * ANSWER_MS)
  }

  receipt(to, messageId) {
    this.#put(to, { kind: 'receipt', messageId, type: 'delivered' })
  }

  #put(to, item) {
    const phone = this.phone(to)
    phone.mailbox.push(item)
    phone.connection?.deliver()
  }
}
