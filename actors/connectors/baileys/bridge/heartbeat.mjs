// Proof that the server answers: one ping at a time. A half-open peer is noticed within interval + timeout.
import { limit, realTime } from './timers.mjs'

export class Heartbeat {
  #ping
  #on
  #bounds
  #time
  #cancel = () => {}
  #round = 0 // an answer counts for its own round only

  /**
   * `ping(answered)` sends one and calls `answered` when the answer is there.
   * `on.rtt(ms)` for each answered ping, `on.missed()` once, then nothing more. Bounds in milliseconds.
   */
  constructor({ ping, on, intervalMs, timeoutMs, time = realTime }) {
    this.#ping = ping
    this.#on = on
    this.#bounds = { intervalMs, timeoutMs }
    this.#time = time
  }

  start() {
    this.#wait()
  }

  stop() {
    this.#round++
    this.#cancel()
  }

  #wait() {
    const timer = this.#time.set(this.#bounds.intervalMs, () => this.#beat())
    this.#cancel = () => this.#time.clear(timer)
  }

  #beat() {
    const round = ++this.#round
    const sent = this.#time.now()
    this.#cancel = limit(this.#bounds.timeoutMs, () => {
      this.stop()
      this.#on.missed()
    }, this.#time)
    this.#ping(() => {
      if (round !== this.#round) return
      this.stop()
      this.#on.rtt(this.#time.now() - sent)
      this.#wait()
    })
  }
}
