// What the host has to store: numbered events on its link, and who waits for each to be stored.

import { ProtocolError } from './errors.mjs'

/** Events that may be told and not yet stored; further ones wait here, in their order. */
export const WINDOW = 256
/** Events that nobody waits for and that may wait here; further ones are dropped, or a host that can't store would fill the memory. */
export const MOST_LOOSE = 256

export class Kept {
  #send = null // (name, fields), once there is a host
  #told = 0
  #stored = 0
  #waiting = new Set() // not told yet, in their order: {name, fields, stored, loose}
  #loose = 0 // of these
  #unconfirmed = [] // told: {n, entry}
  #dropping = false
  #onDrop

  /** `onDrop()` is called when the first of many is dropped. */
  constructor(onDrop = () => {}) {
    this.#onDrop = onDrop
  }

  /** How many events wait for room in the window. */
  get waiting() { return this.#waiting.size }

  /** The host is there; `send(name, fields)` tells it. */
  attach(send) {
    this.#send = send
    this.#goOn()
  }

  /** Calls `stored` when the host has stored the event. Gives a function that forgets it, as far as it was not told yet. */
  tell(name, fields, stored = () => {}) {
    const entry = { name, fields, stored, loose: false }
    this.#waiting.add(entry)
    this.#goOn()
    return () => {
      this.#waiting.delete(entry)
      entry.stored = () => {}
    }
  }

  /** Tells what was acknowledged already, unless too much of that waits. Says whether it is told, now or later. */
  tellLoosely(name, fields) {
    if (this.#loose >= MOST_LOOSE) {
      if (!this.#dropping) this.#onDrop()
      this.#dropping = true
      return false
    }
    this.#loose++
    this.#waiting.add({ name, fields, stored: () => {}, loose: true })
    this.#goOn()
    return true
  }

  /** The host has everything up to `upto`. Throws `bad_request` for what was not told yet. */
  stored(upto) {
    if (!Number.isSafeInteger(upto) || upto < 0 || upto > this.#told) throw new ProtocolError('bad_request', `upto must be a number of an event, ${this.#told} at the most`)
    this.#stored = Math.max(this.#stored, upto)
    while (this.#unconfirmed.length > 0 && this.#unconfirmed[0].n <= upto) this.#unconfirmed.shift().entry.stored()
    this.#goOn()
  }

  #goOn() {
    if (!this.#send) return
    for (const entry of this.#waiting) {
      if (this.#told - this.#stored >= WINDOW) return
      this.#waiting.delete(entry)
      if (entry.loose && --this.#loose === 0) this.#dropping = false
      const n = this.#told + 1
      this.#send(entry.name, { n, ...entry.fields }) // what can't be sent uses up no number: a gap would end the link
      this.#told = n
      this.#unconfirmed.push({ n, entry })
    }
  }
}
