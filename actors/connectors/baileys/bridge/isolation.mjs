// Keeps the sockets of one process apart. Imported before Baileys.
//
// libsignal queues its work by the contact's address, in one queue for the whole process. Two sessions that write to the same
// contact would wait for each other (for the other's vault, even for the other's server), and the second one's work would run in
// the first one's asynchronous context. Here each connection runs its Signal operations one at a time by itself (signal.mjs),
// so libsignal's queue is replaced by a plain call.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.resolve('@whiskeysockets/baileys'))
const queue = require.resolve('libsignal/src/queue_job.js')

if (require.cache[require.resolve('libsignal/src/session_cipher.js')]) throw new Error('isolation.mjs must be imported before Baileys')
require.cache[queue] = { id: queue, filename: queue, loaded: true, exports: (_address, work) => work() }
