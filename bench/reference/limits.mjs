// Requests of an address in a fixed window, counted in memory.

import { Refusal } from './errors.mjs'

const WINDOW_MILLISECONDS = 3_600_000
const ADDRESSES_MAX = 100_000

export function openLimits(requests) {
  let windows = new Map()

  // Count one request; the headers that tell where it stands.
  function count(address) {
    const now = Date.now()
    let window = windows.get(address)
    if (window === undefined || window.ends <= now) {
      if (windows.size >= ADDRESSES_MAX) windows = new Map()
      window = { count: 0, ends: now + WINDOW_MILLISECONDS }
      windows.set(address, window)
    }
    window.count += 1
    const seconds = Math.max(1, Math.ceil((window.ends - now) / 1000))
    if (window.count > requests) throw new Refusal(429, 'RATE_LIMITED', { retryAfter: seconds })
    return {
      'RateLimit-Limit': String(requests),
      'RateLimit-Remaining': String(requests - window.count),
      'RateLimit-Reset': String(seconds),
    }
  }

  // An answer of 304 is outside the limit.
  function uncount(address) {
    const window = windows.get(address)
    if (window !== undefined) window.count -= 1
  }

  return { count, uncount }
}
