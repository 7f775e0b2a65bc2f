// A plain Baileys client as its readme shows it, whose device lives in a folder: useMultiFileAuthState, unmodified.
//
//     node folder-client.mjs FOLDER WEBSOCKET_URL ROOT_KEY
//
// A JSON line each on stdout: {qr}, {open: jid}, {received: text, id}, {acked: id}, {closed: code}. Takes lines
// {to, text} on stdin and sends them; ends with stdin.
import readline from 'node:readline'

const say = value => process.stdout.write(`${JSON.stringify(value)}\n`)
for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace']) console[method] = () => {} // libsignal prints keys

const { default: makeWASocket, WA_CERT_DETAILS, useMultiFileAuthState } = await import('@whiskeysockets/baileys')
const { SILENT } = await import('./lib/phone.mjs')

const RESTART_REQUIRED = 515
const [folder, url, rootKey] = process.argv.slice(2)
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')
const { state, saveCreds } = await useMultiFileAuthState(folder)
let sock
let saving = Promise.resolve()

function connect() {
  sock = makeWASocket({ waWebSocketUrl: url, auth: state, logger: SILENT, version: [2, 3000, 1043857760] })
  sock.ev.on('creds.update', () => { saving = saving.then(saveCreds) })
  sock.ev.on('connection.update', ({ qr, connection, lastDisconnect }) => {
    if (qr) say({ qr })
    if (connection === 'open') say({ open: state.creds.me.id })
    if (connection !== 'close') return
    const code = lastDisconnect?.error?.output?.statusCode ?? 0
    if (code === RESTART_REQUIRED) connect()
    else say({ closed: code })
  })
  sock.ev.on('messages.upsert', ({ messages }) => {
    for (const { key, message } of messages) {
      const text = message?.conversation ?? message?.extendedTextMessage?.text
      if (text && !key.fromMe) say({ received: text, id: key.id })
    }
  })
  sock.ws.on('CB:ack,class:message', ({ attrs }) => say({ acked: attrs.id }))
}

connect()
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { to, text } = JSON.parse(line)
  await sock.sendMessage(`${to}@s.whatsapp.net`, { text })
}
await sock.end(undefined)
await saving
process.exit(0)
