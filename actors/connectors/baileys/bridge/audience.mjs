// Who is told of a session: the link that commands it, a link to come, and the host.

/** How long a connection waits for the next link of its session. */
export const GRACE_MS = 3000

export class Audience {
  #id
  #shared // {tellHost(name, fields), kept, now()}
  #abandoned
  #link = null
  #grace = null
  #unseen = null // a closed event that no link was there for

  /** `abandoned()` is called when a connection has waited for a link in vain. */
  constructor(id, shared, abandoned) {
    this.#id = id
    this.#shared = shared
    this.#abandoned = abandoned
  }

  get hasLink() { return this.#link !== null }

  /** Whether a closed waits for a link. */
  get isUnheard() { return this.#unseen !== null }

  /** A link with a higher generation comes: the one before is told, and ended. */
  supersede() {
    this.tell('superseded')
    this.#link?.end()
    this.#link = null
  }

  /** Makes `link` the session's own; what happened meanwhile is in the state that it got, a closed it is told now. */
  attach(link) {
    if (link.closed) return
    clearTimeout(this.#grace)
    this.#link = link
    if (this.#unseen) link.event('closed', this.#unseen)
    this.#unseen = null
  }

  /** A link ended. Says whether it was the session's own. */
  detach(link) {
    if (link !== this.#link) return false
    this.#link = null
    return true
  }

  /** There is a connection and no link: it is kept for a successor, but not for long. */
  awaitLink() {
    clearTimeout(this.#grace)
    this.#grace = setTimeout(() => { if (!this.#link) this.#abandoned() }, GRACE_MS)
  }

  /** Tells the link. Says whether there was one. */
  tell(name, fields = {}) {
    this.#link?.event(name, this.#stamped(fields))
    return this.#link !== null
  }

  /** Tells the link, or the next one, of the end of the connection; nothing waits for a link any more. */
  tellClosed(fields) {
    clearTimeout(this.#grace)
    if (!this.tell('closed', fields)) this.#unseen = this.#stamped(fields)
  }

  tellHost(name, fields) {
    this.#shared.tellHost(name, this.#stamped(fields))
  }

  /** Tells the host what it has to store; see Kept.tell. */
  keep(name, fields, stored) {
    return this.#shared.kept.tell(name, this.#stamped(fields), stored)
  }

  /** The same for what was acknowledged already; see Kept.tellLoosely. */
  keepLoosely(name, fields) {
    return this.#shared.kept.tellLoosely(name, this.#stamped(fields))
  }

  #stamped(fields) {
    return { session: this.#id, at: this.#shared.now(), ...fields }
  }
}
