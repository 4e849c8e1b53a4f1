// Dates as HTTP writes them (RFC 9110 section 5.6.7): the form that is sent, and the two obsolete
// ones that are still read. Pure.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MONTH = MONTHS.join('|')
const DAY = 'Mon|Tue|Wed|Thu|Fri|Sat|Sun'
const LONG_DAY = 'Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday'
const TIME = '(?<time>\\d\\d:\\d\\d:\\d\\d)'

const FORMS = [
  // IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^(?:${DAY}), (?<day>\\d\\d) (?<month>${MONTH}) (?<year>\\d{4}) ${TIME} GMT$`),
  // RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^(?:${LONG_DAY}), (?<day>\\d\\d)-(?<month>${MONTH})-(?<year>\\d\\d) ${TIME} GMT$`),
  // asctime: Sun Nov  6 08:49:37 1994
  new RegExp(`^(?:${DAY}) (?<month>${MONTH}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
]

/** A year of two digits that would lie further ahead belongs to the century before. */
const MAX_YEARS_AHEAD = 50

/**
 * Milliseconds since 1970, or undefined where the text is no HTTP date: such a field is ignored
 * (sections 13.1.3 and 13.1.4).
 */
export function parseHttpDate(text: string | undefined, nowMs = Date.now()): number | undefined {
  const trimmed = text?.trim() ?? ''
  for (const form of FORMS) {
    const parts = form.exec(trimmed)?.groups
    if (parts === undefined) continue
    const { day = '', month = '', year = '', time = '' } = parts
    return timeOf(fullYear(year, nowMs), MONTHS.indexOf(month), Number(day), time)
  }
  return undefined
}

/** IMF-fixdate, the one form to send. */
export function httpDate(timeMs: number): string {
  return new Date(timeMs).toUTCString()
}

function fullYear(year: string, nowMs: number): number {
  if (year.length === 4) return Number(year)
  const thisYear = new Date(nowMs).getUTCFullYear()
  const full = thisYear - (thisYear % 100) + Number(year)
  return full > thisYear + MAX_YEARS_AHEAD ? full - 100 : full
}

/** Undefined for a day or time that no calendar has; a leap second counts as the next one. */
function timeOf(year: number, month: number, day: number, time: string): number | undefined {
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number)
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined
  const date = new Date(0)
  // Unlike Date.UTC, this takes the years 0 to 99 for what they are.
  date.setUTCFullYear(year, month, day)
  if (date.getUTCDate() !== day) return undefined
  return date.setUTCHours(hours, minutes, seconds)
}
