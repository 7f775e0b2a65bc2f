// What happened, in order: tests count logins, message ids and receipts here.
import { EventEmitter } from 'node:events'

const LIMIT = 50_000

const matches = (entry, { after = 0, since = 0, kinds = [] }) =>
  entry.t > after && entry.seq > since && (kinds.length === 0 || kinds.includes(entry.kind))

/** Bounded list of `{seq, t, kind, ...}`; `t` is milliseconds since the epoch. Emits `entry`. */
export class Journal extends EventEmitter {
  #entries = []
  #next = 1

  constructor() {
    super()
    this.setMaxListeners(0) // one a waiting reader
  }

  add(kind, fields = {}) {
    const entry = { seq: this.#next++, t: Date.now(), kind, ...fields }
    this.#entries.push(entry)
    if (this.#entries.length > LIMIT) this.#entries.splice(0, LIMIT / 10)
    this.emit('entry', entry)
    return entry
  }

  /** Entries later than `after` (ms) and `seq` > `since`, of the given kinds (all when empty). */
  select(filter = {}) { return this.#entries.filter(entry => matches(entry, filter)) }

  /** The same, but when there are none wait up to `ms` for the first. */
  async wait(filter, ms) {
    const found = this.select(filter)
    if (found.length > 0 || ms === 0) return found
    return new Promise(resolve => {
      const finish = () => {
        clearTimeout(timer)
        this.off('entry', check)
        resolve(this.select(filter))
      }
      const check = entry => { if (matches(entry, filter)) finish() }
      const timer = setTimeout(finish, ms)
      this.on('entry', check)
    })
  }
}
