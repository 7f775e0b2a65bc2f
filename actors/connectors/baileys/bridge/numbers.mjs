// Numbers that the server tells. The host refuses what is no time or no whole number, and ends whoever sends it. Pure.

/** The last millisecond of the year 9999: later times can't be written. */
const LATEST = 253_402_300_799_999
/** What is more can't be seconds: that would be the year 33658. As milliseconds it is 2001. */
const MILLISECONDS_FROM = 1e12

/** A whole number, 0 or more, or null. */
export function whole(value) {
  const number = Number(value ?? Number.NaN)
  return Number.isSafeInteger(number) && number >= 0 ? number : null
}

/** Milliseconds since 1970 of a time in seconds, or in milliseconds if it can't be seconds; null for what is no time. */
export function moment(value) {
  const time = whole(value)
  if (time === null) return null
  const ms = time < MILLISECONDS_FROM ? time * 1000 : time
  return ms <= LATEST ? ms : null
}
