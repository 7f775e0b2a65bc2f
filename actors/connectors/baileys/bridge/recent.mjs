// The texts sent last, in memory: a device that could not decrypt one asks for it again, and Baileys' own memory knows a message
// only by the address that it was sent to, which is not the address of the device that asks. What this process does not know, an
// earlier one has sent: the host has it.
import { ProtocolError } from './errors.mjs'
import { realTime } from './timers.mjs'

const MAX_MESSAGES = 256
const MAX_CHARACTERS = 256 * 1024
/** How long the host may take to say what a message said. */
export const ANSWER_MS = 10_000

export class Recent {
  #texts = new Map() // message id -> text, oldest first
  #characters = 0
  #ask
  #asked = new Map() // message id -> {settle: {resolve, reject}, answer, timer}
  #time

  /** `ask(messageId)` asks the host, which answers by `answered`. */
  constructor(ask, time = realTime) {
    this.#ask = ask
    this.#time = time
  }

  add(messageId, text) {
    this.#drop(messageId)
    this.#texts.set(messageId, text)
    this.#characters += text.length
    while (this.#texts.size > MAX_MESSAGES || this.#characters > MAX_CHARACTERS) this.#drop(this.#texts.keys().next().value)
  }

  clear() {
    this.#texts.clear()
    this.#characters = 0
  }

  /** The text, or undefined when it is not known any more. */
  get(messageId) {
    return this.#texts.get(messageId)
  }

  /** Resolves when `get` knows the text, or nobody does. Rejects with `closed` when the host says nothing: then it is to be asked another time. */
  async find(messageId) {
    if (this.#texts.has(messageId)) return
    await (this.#asked.get(messageId) ?? this.#request(messageId)).answer
  }

  /** The host's word: the text of a message, or null if it has none either. */
  answered(messageId, text) {
    if (text !== null) this.add(messageId, text)
    this.#settle(messageId, ({ resolve }) => resolve())
  }

  #request(messageId) {
    const entry = { timer: this.#time.set(ANSWER_MS, () => this.#settle(messageId, ({ reject }) => reject(new ProtocolError('closed', 'the host did not say what the message said')))) }
    entry.answer = new Promise((resolve, reject) => { entry.settle = { resolve, reject } })
    this.#asked.set(messageId, entry)
    this.#ask(messageId)
    return entry
  }

  #settle(messageId, how) {
    const entry = this.#asked.get(messageId)
    if (!entry) return
    this.#asked.delete(messageId)
    this.#time.clear(entry.timer)
    how(entry.settle)
  }

  #drop(messageId) {
    this.#characters -= this.#texts.get(messageId)?.length ?? 0
    this.#texts.delete(messageId)
  }
}
