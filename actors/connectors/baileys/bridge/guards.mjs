// What nobody caught ends the session it came from, if that can be told, and is written down; the process lives on.
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, log } from './log.mjs'

const owners = new AsyncLocalStorage()
const atRoot = AsyncLocalStorage.snapshot() // in nobody's name

/** How many errors nobody caught, since the start. */
export const uncaught = { count: 0 }

/** Run `work` and all that follows from it in the name of `owner`, an object with `session` and `fault(error)`, and of nobody else. */
export function inNameOf(owner, work) {
  return atRoot(() => owners.run(owner, work))
}

/** Run `work` and all that follows from it in nobody's name: what a session merely was the first to need. */
export function inNobodysName(work) {
  return atRoot(work)
}

/** Install the handlers of this process. */
export function installGuards() {
  process.on('unhandledRejection', error => note('unhandled_rejection', error))
  process.on('uncaughtException', error => note('uncaught_exception', error))
  process.on('warning', warning => log('warning', 'node_warning', describe(warning)))
}

function note(event, error) {
  const owner = owners.getStore()
  uncaught.count++
  log('error', event, { session: owner?.session ?? null, ...describe(error) })
  owner?.fault(error)
}
