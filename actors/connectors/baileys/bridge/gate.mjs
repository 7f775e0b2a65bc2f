// The queue at the door: runs Admission with a clock and a timer, and tells those whose turn it is.
import { Admission } from './admission.mjs'
import { realTime } from './timers.mjs'

export class Gate {
  #admission
  #time
  #starts = new Map() // key -> function to call when it is its turn
  #timer = null

  constructor(limits, time = realTime) {
    this.#time = time
    this.#admission = new Admission(limits, time.now())
  }

  /** Queue; `start()` is called when it is the key's turn, perhaps at once. Gives the place, 0 when it was at once. */
  enter(key, pairing, start) {
    const position = this.#admission.enqueue(key, pairing)
    this.#starts.set(key, start)
    this.#admit()
    return this.#starts.has(key) ? position : 0
  }

  /** The key waits no more; if it was admitted as a pairing, the costly part of that is over. */
  leave(key) {
    this.#starts.delete(key)
    this.#admission.release(key)
    this.#admit()
  }

  /** The host lets the key in: gives the function that starts it, or null when it does not wait for that. */
  admit(key) {
    if (!this.#admission.admit(key)) return null
    const start = this.#starts.get(key)
    this.#starts.delete(key)
    return start
  }

  configure(limits) {
    this.#admission.configure(limits, this.#time.now())
    this.#admit()
  }

  #admit() {
    if (this.#timer !== null) this.#time.clear(this.#timer)
    this.#timer = null
    const { admitted, waitMs } = this.#admission.take(this.#time.now())
    if (waitMs !== null) this.#timer = this.#time.set(waitMs, () => this.#admit())
    for (const key of admitted) {
      const start = this.#starts.get(key)
      this.#starts.delete(key)
      start()
    }
  }
}
