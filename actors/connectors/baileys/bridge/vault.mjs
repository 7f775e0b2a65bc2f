// The way to the vault: one link for the process, and a channel for each session on which its requests go out in order.
import net from 'node:net'
import { ProtocolError } from './errors.mjs'
import { inNobodysName } from './guards.mjs'
import { pack, unpack } from './packing.mjs'
import { LinkClosed, Peer } from './peer.mjs'

const PROTOCOL = 1
/** How long a request is tried again when the vault can't be reached: from its beginning, or from when it lost the link. */
export const AWAY_MS = 5000
/** A vault that holds the link but does not answer for so long counts as away; a slow disk does not. */
export const SILENT_MS = 30_000
const PAUSE_MS = 100
/** Bytes of values that a merged commit may hold, and with which a growing one is full, so that a frame never comes near its limit. */
export const BATCH_BYTES = 1024 * 1024

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/** The one link of the process; made when it is first needed, and again when it broke. */
export class VaultLink {
  #path
  #limits
  #peer = null
  #connecting = null

  constructor(path, { awayMs = AWAY_MS, silentMs = SILENT_MS } = {}) {
    this.#path = path
    this.#limits = { awayMs, silentMs }
  }

  /**
   * The vault's answer. Every request of a connector may be repeated without harm, so one whose answer was lost is sent
   * again; a link that lives is never given up, or an old request in it could be applied after newer ones.
   * Rejects with ProtocolError: the vault's own, or `vault_unavailable`.
   */
  async request(cmd, fields) {
    let deadline = null // a request that is slow has as much patience with the loss of its link as a quick one
    for (;;) {
      if (!this.#isLinked) deadline ??= performance.now() + this.#limits.awayMs
      try {
        const peer = await this.#connected(deadline)
        return await this.#answered(peer.request(cmd, fields))
      } catch (error) {
        if (error instanceof ProtocolError) throw error
        deadline ??= performance.now() + this.#limits.awayMs
        if (performance.now() >= deadline) throw unavailable('the vault can not be reached')
      }
      await sleep(PAUSE_MS)
    }
  }

  close() {
    this.#peer?.destroy()
  }

  async #answered(answer) {
    let timer
    const silence = new Promise((_, reject) => {
      timer = setTimeout(() => reject(unavailable('the vault does not answer')), this.#limits.silentMs)
    })
    try {
      return await Promise.race([answer, silence])
    } finally {
      clearTimeout(timer)
    }
  }

  get #isLinked() { return this.#peer !== null && !this.#peer.closed }

  async #connected(deadline) {
    if (this.#isLinked) return this.#peer
    this.#connecting ??= inNobodysName(() => this.#connect()).finally(() => { this.#connecting = null })
    const late = sleep(Math.max(0, deadline - performance.now())).then(() => { throw new LinkClosed('no link in time') })
    this.#peer = await Promise.race([this.#connecting, late])
    return this.#peer
  }

  async #connect() {
    const socket = net.connect(this.#path)
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    const peer = new Peer(socket)
    try {
      await this.#answered(peer.request('hello', { protocol: PROTOCOL, role: 'connector' }))
    } catch (error) {
      peer.destroy()
      throw error
    }
    return peer
  }
}

/**
 * One session's requests, one at a time and in order, each under the generation that was claimed last when it goes out.
 * Commits that wait are merged into one. After a failed commit all others fail until the next load: nothing is written
 * over a hole.
 */
export class VaultChannel {
  generation = 0
  #link
  #session
  #queue = [] // {kind: 'commit', set, del, paired, spare, bytes, settle[]} | {kind: 'call', run, settle[]}
  #busy = false // then the first of the queue is on its way
  #hole = null // the error of a failed commit, until the next load

  constructor(link, session) {
    this.#link = link
    this.#session = session
  }

  /** Whether the session is paired, from now on under `generation`. Rejects with `fenced`, `vault_unavailable`. */
  claim(generation) {
    return this.#call(async () => {
      const { paired } = await this.#link.request('claim', { session: this.#session, generation })
      this.generation = generation
      return paired === true
    })
  }

  /** All entries, as a Map from key to the bytes of its JSON text. */
  load() {
    return this.#call(async () => {
      this.#hole = null
      const entries = new Map()
      let after = null
      do {
        const page = await this.#link.request('load', { session: this.#session, generation: this.generation, after })
        for (const [key, value] of Object.entries(page.entries)) entries.set(key, await unpack(value))
        after = page.next ?? null
      } while (after !== null)
      return entries
    })
  }

  reset() {
    return this.#call(() => this.#link.request('reset', { session: this.#session, generation: this.generation }))
  }

  /**
   * Resolves when `set` (Map of key to the bytes of its JSON text) and `del` (keys) are durable. A `spare` one goes alone, and when
   * it is refused for its size only it fails: what was stored before may stand in its place.
   */
  commit(set, del = [], paired = undefined, { spare = false } = {}) {
    if (this.#hole) return Promise.reject(this.#hole)
    const bytes = [...set.values()].reduce((sum, value) => sum + value.length, 0)
    const last = this.#queue.length > 1 ? this.#queue.at(-1) : null
    return new Promise((resolve, reject) => {
      const settle = { resolve, reject }
      const isMerged = last?.kind === 'commit' && !last.spare && !spare && last.bytes + bytes <= BATCH_BYTES
      if (isMerged) merge(last, { set, del, paired, bytes, settle })
      else this.#enqueue({ kind: 'commit', set: new Map(set), del: new Set(del), paired, spare, bytes, settle: [settle] })
    })
  }

  /** Resolves when all that was asked for before has been answered, well or not. */
  async drained() {
    while (this.#queue.length > 0) await new Promise(resolve => this.#queue.at(-1).settle.push({ resolve, reject: resolve }))
  }

  #call(run) {
    return new Promise((resolve, reject) => this.#enqueue({ kind: 'call', run, settle: [{ resolve, reject }] }))
  }

  #enqueue(entry) {
    this.#queue.push(entry)
    if (!this.#busy) void this.#work()
  }

  async #work() {
    this.#busy = true
    while (this.#queue.length > 0) {
      const entry = this.#queue[0]
      try {
        const value = await (entry.kind === 'call' ? entry.run() : this.#send(entry))
        this.#queue.shift()
        for (const { resolve } of entry.settle) resolve(value)
      } catch (error) {
        this.#queue.shift()
        for (const { reject } of entry.settle) reject(error)
        if (entry.kind === 'commit' && !(entry.spare && error.code === 'limit')) this.#failCommits(error)
      }
    }
    this.#busy = false
  }

  async #send({ set, del, paired }) {
    const packed = await Promise.all([...set].map(async ([key, bytes]) => [key, await pack(key, bytes)]))
    const fields = { session: this.#session, generation: this.generation, set: Object.fromEntries(packed), del: [...del] }
    return this.#link.request('commit', paired === undefined ? fields : { ...fields, paired })
  }

  #failCommits(error) {
    this.#hole = error
    const [failed, kept] = [[], []]
    for (const entry of this.#queue) (entry.kind === 'commit' ? failed : kept).push(entry)
    this.#queue = kept
    for (const entry of failed) for (const { reject } of entry.settle) reject(error)
  }
}

function merge(entry, { set, del, paired, bytes, settle }) {
  for (const key of del) {
    entry.set.delete(key)
    entry.del.add(key)
  }
  for (const [key, value] of set) {
    entry.del.delete(key)
    entry.set.set(key, value)
  }
  entry.paired = paired ?? entry.paired
  entry.bytes += bytes
  entry.settle.push(settle)
}

function unavailable(message) {
  return new ProtocolError('vault_unavailable', message)
}
