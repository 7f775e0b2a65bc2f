// What the host has to store: numbered events on its link, and who waits for each to be stored.

import { ProtocolError } from './errors.mjs'

/** Events that may be told and not yet stored; further ones wait here, in their order. */
export const WINDOW = 256

export class Kept {
  #send = null // (name, fields), once there is a host
  #told = 0
  #stored = 0
  #waiting = [] // not told yet: {name, fields, stored, cancelled}
  #unconfirmed = [] // told: {n, entry}

  /** How many events wait for room in the window. */
  get waiting() { return this.#waiting.length }

  /** The host is there; `send(name, fields)` tells it. */
  attach(send) {
    this.#send = send
    this.#goOn()
  }

  /** Calls `stored` when the host has stored the event. Gives a function that forgets it, as far as it was not told yet. */
  tell(name, fields, stored = () => {}) {
    const entry = { name, fields, stored, cancelled: false }
    this.#waiting.push(entry)
    this.#goOn()
    return () => {
      entry.cancelled = true
      entry.stored = () => {}
    }
  }

  /** The host has everything up to `upto`. Throws `bad_request` for what was not told yet. */
  stored(upto) {
    if (!Number.isSafeInteger(upto) || upto < 0 || upto > this.#told) throw new ProtocolError('bad_request', `upto must be a number of an event, ${this.#told} at the most`)
    this.#stored = Math.max(this.#stored, upto)
    while (this.#unconfirmed.length > 0 && this.#unconfirmed[0].n <= upto) this.#unconfirmed.shift().entry.stored()
    this.#goOn()
  }

  #goOn() {
    while (this.#send && this.#waiting.length > 0 && this.#told - this.#stored < WINDOW) {
      const entry = this.#waiting.shift()
      if (entry.cancelled) continue
      const n = this.#told + 1
      this.#send(entry.name, { n, ...entry.fields }) // what can't be sent uses up no number: a gap would end the link
      this.#told = n
      this.#unconfirmed.push({ n, entry })
    }
  }
}
