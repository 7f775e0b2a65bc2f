// Opens real, unmodified Baileys clients against a lab in this process, and waits for what they emit.
for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace']) console[method] = () => {} // libsignal prints keys

const { default: makeWASocket, WA_CERT_DETAILS, initAuthCreds } = await import('@whiskeysockets/baileys')
const { Lab } = await import('../lib/lab.mjs')
const { SILENT } = await import('../lib/phone.mjs')

const WAIT_MS = 30_000

/** The server claims to have pre-keys: the client need not make 812 of them at each first login. */
export const QUICK = { defaults: { preKeyCount: 100 } }

/** A lab that ends with the test. */
export async function startLab(t, options) {
  const lab = new Lab(options)
  await lab.listen()
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(lab.identity.root.public)
  t.after(() => lab.stop())
  return lab
}

/** Auth state in memory, as a client keeps it over restarts. */
export function memoryAuth(creds = initAuthCreds()) {
  const kinds = {}
  return {
    creds,
    kinds,
    keys: {
      get: async (kind, ids) => Object.fromEntries(ids.filter(id => kinds[kind]?.[id] != null).map(id => [id, kinds[kind][id]])),
      set: async data => {
        for (const [kind, entries] of Object.entries(data)) kinds[kind] = { ...kinds[kind], ...entries }
      }
    }
  }
}

/** Rejects after a while, so that a test fails by name and not by the runner's limit. */
export async function within(promise, what, ms = WAIT_MS) {
  let timer
  const late = new Promise((_resolve, reject) => { timer = setTimeout(() => reject(new Error('timed out waiting for ' + what)), ms) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** One Baileys socket with what it emitted so far. */
export class Client {
  updates = []
  upserts = []
  receipts = []
  acks = []
  #waiting = new Set()

  constructor(t, lab, auth, config = {}) {
    this.auth = auth
    this.sock = makeWASocket({
      waWebSocketUrl: lab.url, auth, logger: SILENT, version: [2, 3000, 1043857760], connectTimeoutMs: WAIT_MS,
      retryRequestDelayMs: 1, ...config
    })
    const record = list => value => {
      list.push(value)
      for (const check of this.#waiting) check()
    }
    this.sock.ev.on('creds.update', update => Object.assign(auth.creds, update))
    this.sock.ev.on('connection.update', record(this.updates))
    this.sock.ev.on('messages.upsert', record(this.upserts))
    this.sock.ws.on('CB:receipt', record(this.receipts))
    this.sock.ws.on('CB:ack,class:message', record(this.acks))
    t.after(() => this.end())
  }

  /** First result of `find` that isn't undefined, looked for now and after each event. */
  async until(find, what) {
    let check
    const found = new Promise(resolve => {
      check = () => {
        const value = find()
        if (value !== undefined) resolve(value)
      }
      this.#waiting.add(check)
      check()
    })
    return within(found, what).finally(() => this.#waiting.delete(check))
  }

  update(wanted, what) { return this.until(() => this.updates.find(wanted), what) }
  async open() {
    await this.update(u => u.connection === 'open', 'open')
    return this
  }

  /** The error of lastDisconnect. */
  async closed() {
    const { lastDisconnect } = await this.update(u => u.connection === 'close', 'close')
    return lastDisconnect.error
  }

  qr() { return this.until(() => this.updates.findLast(u => u.qr)?.qr, 'a QR code') }
  received(id) {
    return this.until(() => this.upserts.flatMap(u => u.messages).find(m => m.key.id === id && m.message), `message ${id}`)
  }

  receipt(id, type) {
    return this.until(() => this.receipts.find(r => r.attrs.id === id && r.attrs.type === type), `receipt of ${id}`)
  }

  ack(id) { return this.until(() => this.acks.find(a => a.attrs.id === id), `ack of ${id}`) }

  /** Send a text and return its id. */
  async send(phone, text) { return (await this.sock.sendMessage(`${phone}@s.whatsapp.net`, { text })).key.id }
  end() { return this.sock.end(undefined) }
}

export const textOf = message => message.message.conversation ?? message.message.extendedTextMessage?.text

/** A client with credentials as after a pairing, open. */
export async function openClient(t, lab, phone, config) {
  return new Client(t, lab, memoryAuth(lab.accounts.makeCredentials(phone)), config).open()
}

/** The first journal entry of the kind that passes, present or future. */
export function journaled(lab, kind, wanted = () => true) {
  const present = lab.journal.select({ kinds: [kind] }).find(wanted)
  if (present) return Promise.resolve(present)
  let check
  const found = new Promise(resolve => {
    check = entry => { if (entry.kind === kind && wanted(entry)) resolve(entry) }
    lab.journal.on('entry', check)
  })
  return within(found, `journal entry ${kind}`).finally(() => lab.journal.off('entry', check))
}
