// One Baileys session in a process of its own, its auth state a file a key, as most people run it.
//   node worker.mjs WEBSOCKET_URL ROOT_KEY FOLDER
// FOLDER holds the auth state, `pid`, and `qr` while there is one to be scanned.
for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace']) console[method] = () => {} // libsignal prints keys

const { default: makeWASocket, DisconnectReason, useMultiFileAuthState, WA_CERT_DETAILS } = await import('@whiskeysockets/baileys')
const { mkdirSync, writeFileSync } = await import('node:fs')
const { SILENT } = await import('./lib/phone.mjs')

const [url, rootKey, folder] = process.argv.slice(2)
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')
mkdirSync(folder, { recursive: true })
writeFileSync(`${folder}/pid`, String(process.pid))
const { state, saveCreds } = await useMultiFileAuthState(`${folder}/auth`)

function connect() {
  const sock = makeWASocket({ waWebSocketUrl: url, auth: state, logger: SILENT, version: [2, 3000, 1043857760] })
  sock.ev.on('creds.update', saveCreds)
  sock.ev.on('connection.update', ({ connection, lastDisconnect, qr }) => {
    if (qr) writeFileSync(`${folder}/qr`, qr)
    if (connection !== 'close') return
    if (lastDisconnect?.error?.output?.statusCode === DisconnectReason.loggedOut) process.exit(1)
    connect()
  })
}
connect()
