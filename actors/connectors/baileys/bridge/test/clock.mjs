// Virtual time for tests: nothing waits, `advance` runs what falls due.

export class Clock {
  #now = 0
  #timers = []

  now = () => this.#now
  set = (ms, run) => {
    const timer = { due: this.#now + ms, run }
    this.#timers.push(timer)
    return timer
  }
  clear = timer => { this.#timers = this.#timers.filter(other => other !== timer) }

  get waiting() { return this.#timers.length }

  /** Let `ms` pass, running timers in their order. */
  advance(ms) {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.filter(timer => timer.due <= end).sort((a, b) => a.due - b.due)[0]
      if (!next) break
      this.#now = Math.max(this.#now, next.due)
      this.clear(next)
      next.run()
    }
    this.#now = end
  }

  /** The process stands still for `ms`; then timers that fell due run, late. */
  pause(ms) {
    this.#now += ms
    this.advance(0)
  }
}

/** Numbers from a seed (mulberry32), so that a failing run can be repeated. */
export function random(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
