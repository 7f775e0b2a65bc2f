// A limit in time that a pause of the whole process does not use up: a stopped VM or a stalled disk kills nobody.

/** A timer that fires so much later than it was due tells of a pause, not of a peer that is late. */
export const PAUSE_MS = 1000

/** The clock and timers of this process; tests bring their own. */
export const realTime = {
  now: () => performance.now(),
  set: (ms, run) => setTimeout(run, ms),
  clear: timer => clearTimeout(timer)
}

/** Milliseconds of CLOCK_MONOTONIC, which all processes of a machine share. */
export function monotonic() {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Calls `expired` after `ms`, and once more after `ms` when it found the process had been paused. Gives a cancel function. */
export function limit(ms, expired, time = realTime) {
  let timer
  const arm = () => {
    const due = time.now() + ms
    timer = time.set(ms, () => (time.now() - due > PAUSE_MS ? arm() : expired()))
  }
  arm()
  return () => time.clear(timer)
}
