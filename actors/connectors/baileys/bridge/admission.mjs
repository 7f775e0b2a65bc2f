// Who may connect when: as the host says, or else by a token bucket and a bound on the costly parts of pairings.
// Pure: the caller gives `now` (milliseconds of a clock that only goes forward) and sets the timers.

/** Share of a token that may be missing: what floating point loses, not what the bound gives away. */
const ROUNDING = 1e-9
const ROUNDING_MS = 1e-6

export class Admission {
  #limits
  #tokens
  #at
  #waiting = [] // {key, pairing}, in order of arrival
  #pairing = new Set() // keys of admitted pairings that still work

  /** `limits`: {connectsPerSecond ≥ 0, burst ≥ 1, pairings ≥ 0, byHost}. The bucket starts full. */
  constructor(limits, now) {
    this.#limits = limits
    this.#tokens = limits.burst
    this.#at = now
  }

  /** How many wait. */
  get length() { return this.#waiting.length }

  /** Queue a connection; `pairing` when it will do the work of a pairing. Gives its place, 1 for the first. */
  enqueue(key, pairing) {
    if (this.#waiting.some(entry => entry.key === key)) throw new Error('already waiting')
    return this.#waiting.push({ key, pairing })
  }

  /** The connection waits no more and, if it was a pairing, its work is over. */
  release(key) {
    this.#waiting = this.#waiting.filter(entry => entry.key !== key)
    this.#pairing.delete(key)
  }

  /** New bounds; those who wait keep their order, and the bucket what fits into it. */
  configure(limits, now) {
    this.#refill(now)
    if (this.#limits.byHost) this.#tokens = 0 // nothing is saved up while the host lets in
    this.#limits = limits
    this.#tokens = Math.min(this.#tokens, limits.burst)
  }

  /** The host lets a connection in; false when it does not wait for that. */
  admit(key) {
    const entry = this.#waiting.find(waiting => waiting.key === key)
    if (!this.#limits.byHost || !entry) return false
    this.#start(entry)
    return true
  }

  /**
   * Those who may connect now, and in how many milliseconds to ask again (null: not before something else changes).
   * In order of arrival; only a pairing that waits for another pairing is overtaken.
   */
  take(now) {
    this.#refill(now)
    const admitted = []
    if (this.#limits.byHost) return { admitted, waitMs: null }
    for (;;) {
      const free = this.#pairing.size < this.#limits.pairings
      const next = this.#waiting.find(entry => free || !entry.pairing)
      if (!next) return { admitted, waitMs: null }
      if (this.#tokens < 1 - ROUNDING) return { admitted, waitMs: this.#untilNext() }
      this.#tokens = Math.max(0, this.#tokens - 1)
      this.#start(next)
      admitted.push(next.key)
    }
  }

  #start(entry) {
    this.#waiting.splice(this.#waiting.indexOf(entry), 1)
    if (entry.pairing) this.#pairing.add(entry.key)
  }

  #refill(now) {
    const gained = Math.max(0, now - this.#at) / 1000 * this.#limits.connectsPerSecond
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + gained)
    this.#at = Math.max(this.#at, now)
  }

  #untilNext() {
    const { connectsPerSecond } = this.#limits
    if (connectsPerSecond === 0) return null
    return Math.max(1, Math.ceil((1 - this.#tokens) / connectsPerSecond * 1000 - ROUNDING_MS))
  }
}
