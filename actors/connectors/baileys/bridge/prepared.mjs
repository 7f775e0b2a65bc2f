// What a connection needs of the vault, loaded once for each attempt: before its turn comes, if there is time.

export class Prepared {
  #load
  #attempt = 0
  #loading = null

  /** `load(attempt)` resolves to what it loaded, or to null when it failed, which it tells by itself. */
  constructor(load) {
    this.#load = load
  }

  /** Resolves to what was loaded for that attempt. */
  of(attempt) {
    if (attempt !== this.#attempt) {
      this.#attempt = attempt
      this.#loading = this.#load(attempt)
    }
    return this.#loading
  }

  /** Nothing is kept: the attempt is over, or has what it needs. */
  forget() {
    this.#attempt = 0
    this.#loading = null
  }
}
