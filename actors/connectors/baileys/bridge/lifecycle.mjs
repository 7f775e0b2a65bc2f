// Where a session's connection stands. Pure: no clock, no I/O. One attempt = from `begin` to `finish`, which gives its
// cause exactly once; whatever comes late, for an attempt that ended, is refused here and nowhere else.
import { ProtocolError } from './errors.mjs'

/** phase -> the phases that may follow within one attempt. Every attempt ends in idle through `finish`. */
const NEXT = {
  idle: [],
  queued: ['connecting'],
  connecting: ['pairing', 'open'],
  pairing: [],
  open: []
}

export class Lifecycle {
  #phase = 'idle'
  #attempt = 0
  #cause = null

  get phase() { return this.#phase }

  /** The current attempt's number, or 0 when idle. */
  get attempt() { return this.#phase === 'idle' ? 0 : this.#attempt }

  /** Whether the current attempt is on its way to its end. */
  get ending() { return this.#cause !== null }

  /** Starts an attempt, in phase queued, and gives its number. Throws `busy` unless idle. */
  begin() {
    if (this.#phase !== 'idle') throw new ProtocolError('busy', `the connection is ${this.#phase}${this.ending ? ', closing' : ''}`)
    this.#phase = 'queued'
    return ++this.#attempt
  }

  /** Moves an attempt on. False, and nothing changes, when it is not the current one or is ending. */
  advance(attempt, phase) {
    if (!this.isLive(attempt)) return false
    if (!NEXT[this.#phase].includes(phase)) throw new Error(`no way from ${this.#phase} to ${phase}`)
    this.#phase = phase
    return true
  }

  /** Whether the attempt is the current one and not ending. */
  isLive(attempt) {
    return this.#phase !== 'idle' && attempt === this.#attempt && this.#cause === null
  }

  /** Notes why an attempt ends; the first cause counts. True for the caller that was the first. */
  end(attempt, cause) {
    if (!this.isLive(attempt)) return false
    this.#cause = cause
    return true
  }

  /** The attempt is over: back to idle. Gives its cause, once; null if it has not been ended or is over already. */
  finish(attempt) {
    if (this.#phase === 'idle' || attempt !== this.#attempt || this.#cause === null) return null
    const cause = this.#cause
    this.#cause = null
    this.#phase = 'idle'
    return cause
  }
}
