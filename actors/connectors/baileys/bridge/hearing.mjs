// That the server's delivery path brings something: told while the connection is open, and not with each stanza.
import { isDelivery } from './stanzas.mjs'
import { realTime } from './timers.mjs'

/** A second stanza within this time proves nothing more. */
export const HEARD_PAUSE_MS = 5000

export class Hearing {
  #tell
  #time
  #at = -Infinity
  #open = false
  #early = false // something came before the connection was open: the login brings what was kept

  constructor(tell, time = realTime) {
    this.#tell = tell
    this.#time = time
  }

  /** A stanza came, or bytes that are none yet. */
  take(stanza) {
    if (!isDelivery(stanza)) return
    if (!this.#open) this.#early = true
    else this.#heard()
  }

  /** The connection is open, and its owner was told so. */
  open() {
    this.#open = true
    if (this.#early) this.#heard()
  }

  #heard() {
    const now = this.#time.now()
    if (now - this.#at < HEARD_PAUSE_MS) return
    this.#at = now
    this.#tell()
  }
}
