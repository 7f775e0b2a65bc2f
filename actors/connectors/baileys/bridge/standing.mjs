// What WhatsApp lets the account do: the reach-out time lock, and how many new chats it may begin. Pure.
import { moment, whole } from './numbers.mjs'

const CAPPED = 'CAPPED'

/** The event's fields of Baileys' answer about the time lock; times in milliseconds. */
export function readTimelock({ isActive, timeEnforcementEnds }) {
  const active = Boolean(isActive)
  // Baileys takes what it got for seconds.
  return { active, until: active && timeEnforcementEnds instanceof Date ? moment(Math.floor(timeEnforcementEnds.getTime() / 1000)) : null }
}

/** The event's fields of the answer about new chats, or null when there is no cap. Nothing says in what unit `cycle_end_timestamp` is. */
export function readCap(answer) {
  const [used, total] = [whole(answer?.used_quota), whole(answer?.total_quota)]
  if (used === null && total === null && answer?.capping_status !== CAPPED) return null
  const capped = answer.capping_status === CAPPED || (total !== null && total > 0 && used !== null && used >= total)
  return { used, total, capped, until: moment(answer.cycle_end_timestamp) }
}

/** Why the account may write to no new chat now, {why, until}, or null. What has ended by itself restricts no more. */
export function restriction({ timelock, cap }, now) {
  const holds = until => until === null || now < until
  if (timelock?.active && holds(timelock.until)) return { why: 'timelock', until: timelock.until }
  if (cap?.capped && holds(cap.until)) return { why: 'message_cap', until: cap.until }
  return null
}
