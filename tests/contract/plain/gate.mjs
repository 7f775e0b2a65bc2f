// Admission: a token bucket for all connections, and a bound on the pairings that are at their costly part.

export class Gate {
  #bounds
  #tokens
  #at = Date.now()
  #queue = [] // {pairing, start}
  #pairings = new Set()
  #timer = null

  constructor(bounds) {
    this.#bounds = bounds
    this.#tokens = bounds.burst
  }

  configure(bounds) {
    this.#refill()
    this.#bounds = bounds
    this.#tokens = Math.min(this.#tokens, bounds.burst)
    this.#admit()
  }

  /** Starts it, now or later; gives its place in the queue, 0 if it was started. */
  enter(ticket) {
    this.#queue.push(ticket)
    this.#admit()
    return this.#queue.indexOf(ticket) + 1
  }

  /** It waits no more, or the costly part of its pairing is over. */
  leave(ticket) {
    const at = this.#queue.indexOf(ticket)
    if (at >= 0) this.#queue.splice(at, 1)
    if (this.#pairings.delete(ticket)) this.#admit()
  }

  #refill() {
    const now = Date.now()
    this.#tokens = Math.min(this.#bounds.burst, this.#tokens + Math.max(0, now - this.#at) / 1000 * this.#bounds.connectsPerSecond)
    this.#at = now
  }

  #admit() {
    clearTimeout(this.#timer)
    for (;;) {
      const next = this.#queue.find(ticket => !ticket.pairing || this.#pairings.size < this.#bounds.pairings)
      if (!next) return
      this.#refill()
      if (this.#tokens < 1) {
        const wait = (1 - this.#tokens) / this.#bounds.connectsPerSecond * 1000
        if (Number.isFinite(wait)) this.#timer = setTimeout(() => this.#admit(), Math.ceil(wait))
        return
      }
      this.#tokens -= 1
      this.#queue.splice(this.#queue.indexOf(next), 1)
      if (next.pairing) this.#pairings.add(next)
      next.start()
    }
  }
}
