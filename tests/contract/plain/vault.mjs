// The way to the vault: one link for the process, each session's requests in their order, patience of 5 s while it is away.
import { connect } from 'node:net'
import { Gone, Link, Refusal } from './link.mjs'

const PATIENCE_MS = 5000
const SILENCE_MS = 30_000
const PAUSE_MS = 100

export class Vault {
  #path
  #link = null

  constructor(path) {
    this.#path = path
  }

  async request(cmd, fields) {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      try {
        const link = await this.#connected()
        return await within(SILENCE_MS, link.request(cmd, fields))
      } catch (error) {
        if (error instanceof Refusal) throw error
        if (Date.now() >= deadline) throw new Refusal('vault_unavailable', 'the vault is away')
      }
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
    }
  }

  #connected() {
    if (this.#link === null) {
      this.#link = this.#connect()
      this.#link.catch(() => { this.#link = null })
    }
    return this.#link
  }

  async #connect() {
    const socket = connect(this.#path)
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    const link = new Link(socket, { onEnd: () => { this.#link = null } })
    await within(PATIENCE_MS, link.request('hello', { protocol: 1, role: 'connector' }))
    return link
  }
}

/** One session's auth state. */
export class AuthState {
  generation = 0
  #vault
  #session
  #last = Promise.resolve()

  constructor(vault, session) {
    this.#vault = vault
    this.#session = session
  }

  claim(generation) {
    return this.#inTurn(async () => {
      if (generation <= this.generation) throw new Refusal('fenced', `generation ${this.generation} has the session`)
      const { paired } = await this.#vault.request('claim', { session: this.#session, generation })
      this.generation = generation
      return paired
    })
  }

  load() {
    return this.#inTurn(async () => {
      const all = {}
      for (let after = null; ;) {
        const { entries, next } = await this.#ask('load', { after })
        Object.assign(all, entries)
        if (next === null) return all
        after = next
      }
    })
  }

  commit(set, more = {}) {
    return this.#inTurn(() => this.#ask('commit', { set, del: [], ...more }))
  }

  reset() {
    return this.#inTurn(() => this.#ask('reset', {}))
  }

  #ask(cmd, fields) {
    return this.#vault.request(cmd, { session: this.#session, generation: this.generation, ...fields })
  }

  #inTurn(work) {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }
}

function within(ms, promise) {
  let timer
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Gone('no answer')), ms) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
