// A response cache as a busy site would put in front of its reads: whole answers by address,
// for a fixed time, the oldest thrown out first. It knows nothing of changes: for that long the
// answers may be old.

const ENTRIES_MAX = 20_000

export function openCache(seconds) {
  const entries = new Map()
  return {
    find(address) {
      const found = entries.get(address)
      return found !== undefined && found.until > performance.now() ? found.answer : undefined
    },
    keep(address, answer) {
      entries.delete(address)
      if (entries.size >= ENTRIES_MAX) entries.delete(entries.keys().next().value)
      entries.set(address, { answer, until: performance.now() + seconds * 1000 })
      return answer
    },
  }
}
