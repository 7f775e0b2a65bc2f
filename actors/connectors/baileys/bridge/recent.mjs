// The texts sent last, in memory only: a device that could not decrypt one asks for it again, and Baileys' own memory knows a
// message only by the address that it was sent to, which is not the address of the device that asks.

const MAX_MESSAGES = 256
const MAX_CHARACTERS = 256 * 1024

export class Recent {
  #texts = new Map() // message id -> text, oldest first
  #characters = 0

  add(messageId, text) {
    this.#drop(messageId)
    this.#texts.set(messageId, text)
    this.#characters += text.length
    while (this.#texts.size > MAX_MESSAGES || this.#characters > MAX_CHARACTERS) this.#drop(this.#texts.keys().next().value)
  }

  /** The text, or undefined when it is not known any more. */
  get(messageId) {
    return this.#texts.get(messageId)
  }

  #drop(messageId) {
    this.#characters -= this.#texts.get(messageId)?.length ?? 0
    this.#texts.delete(messageId)
  }
}
