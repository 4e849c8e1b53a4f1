// Times as people say them: how long ago, and after a week the day. In the person's own time zone.
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const day = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric' })
const dayOfYear = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', year: 'numeric' })
const exact = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' })

/** `just now`, `2 min ago`, `9 h ago`, `yesterday`, `4 days ago`, `Nov 14`, `Nov 14, 2025`. */
export function ago(timeMs: number, nowMs: number): string {
  const past = nowMs - timeMs
  // A clock that is a little ahead is no news from the future.
  if (past > -MINUTE_MS && past < MINUTE_MS) return 'just now'
  if (past > 0 && past < HOUR_MS) return `${Math.floor(past / MINUTE_MS)} min ago`
  if (past > 0 && past < DAY_MS) return `${Math.floor(past / HOUR_MS)} h ago`
  const days = Math.floor(past / DAY_MS)
  if (days === 1) return 'yesterday'
  if (days > 1 && days < 7) return `${days} days ago`
  const isThisYear = new Date(timeMs).getFullYear() === new Date(nowMs).getFullYear()
  return (isThisYear ? day : dayOfYear).format(timeMs)
}

export function exactTime(timeMs: number): string {
  return exact.format(timeMs)
}
