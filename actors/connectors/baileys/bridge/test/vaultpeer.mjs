// A vault for tests: speaks the protocol on a real socket, records what it is asked, answers when it is told to.
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { ProtocolError } from '../errors.mjs'
import { MAX_STORED } from '../packing.mjs'
import { Peer } from '../peer.mjs'

export class VaultPeer {
  requests = [] // {cmd, …} in the order of their arrival, without hello
  entries = new Map()
  paired = false
  owner = 0
  refuse = null // ProtocolError for each commit
  #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vaultpeer'))
  #server = null
  #peers = new Set()
  #held = null // resolvers of commits, while answers are held back

  get path() { return path.join(this.#folder, 'v.sock') }

  async start() {
    this.#server = net.createServer(socket => {
      const peer = new Peer(socket, { onRequest: message => this.#answer(message), onEnd: () => this.#peers.delete(peer) })
      this.#peers.add(peer)
    })
    await new Promise(resolve => this.#server.listen(this.path, resolve))
  }

  /** Away: nobody listens, and the links are cut. */
  async stop() {
    for (const peer of this.#peers) peer.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  /** From now on commits are applied, but their answers wait for `release`. */
  hold() { this.#held = [] }

  release() {
    const held = this.#held ?? []
    this.#held = null
    for (const resolve of held) resolve()
  }

  async remove() {
    await this.stop().catch(() => {})
    fs.rmSync(this.#folder, { recursive: true })
  }

  asked(cmd) { return this.requests.filter(request => request.cmd === cmd) }

  /** Resolves when a request of this kind has arrived `count` times. */
  async until(cmd, count = 1) {
    while (this.asked(cmd).length < count) await new Promise(resolve => setImmediate(resolve))
  }

  async #answer(message) {
    if (message.cmd === 'hello') return { protocol: 1 }
    this.requests.push(message)
    if (message.cmd === 'claim') {
      if (message.generation < this.owner) throw new ProtocolError('fenced', 'a higher generation owns it')
      this.owner = message.generation
      return { paired: this.paired }
    }
    if (message.generation !== this.owner) throw new ProtocolError('fenced', 'not the owner')
    return this[`_${message.cmd}`](message)
  }

  _load({ after }) { // a page an entry
    const keys = [...this.entries.keys()].sort()
    const at = after === null ? 0 : keys.indexOf(after) + 1
    if (at >= keys.length) return { entries: {}, next: null }
    return { entries: { [keys[at]]: this.entries.get(keys[at]) }, next: at + 1 < keys.length ? keys[at] : null }
  }

  async _commit({ set, del, paired }) {
    if (this.refuse) throw this.refuse
    if (Object.values(set).some(value => value.length > MAX_STORED)) throw new ProtocolError('limit', 'a value is too long')
    for (const key of del) this.entries.delete(key)
    for (const [key, value] of Object.entries(set)) this.entries.set(key, value)
    this.paired = paired ?? this.paired
    if (this.#held) await new Promise(resolve => this.#held.push(resolve))
    return {}
  }

  _reset() {
    this.entries.clear()
    this.paired = false
    return {}
  }
}
