// The host's link: what it is told, and the events that it has to confirm.

const WINDOW = 256

export class Host {
  link = null
  #told = 0
  #stored = 0
  #waiting = [] // {event, done}: no room in the window
  #unconfirmed = [] // {n, done}

  tell(name, fields) {
    this.link?.send({ ev: name, at: Date.now(), ...fields })
  }

  /** Tells a numbered event; `done` is called when the host has it on disk, if `wanted` still says so when its turn comes. */
  keep(name, fields, wanted, done) {
    this.#waiting.push({ name, fields, wanted, done })
    this.#goOn()
  }

  attach(link) {
    this.link = link
    this.#goOn()
  }

  stored(upto) {
    this.#stored = Math.max(this.#stored, upto)
    while (this.#unconfirmed.length && this.#unconfirmed[0].n <= upto) this.#unconfirmed.shift().done()
    this.#goOn()
  }

  get told() { return this.#told }

  #goOn() {
    while (this.link && this.#waiting.length && this.#told - this.#stored < WINDOW) {
      const { name, fields, wanted, done } = this.#waiting.shift()
      if (!wanted()) continue
      const n = ++this.#told
      this.#unconfirmed.push({ n, done })
      this.tell(name, { n, ...fields })
    }
  }
}
