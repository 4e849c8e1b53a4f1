// The kinds of values that both conf files have: durations, counts, addresses. Each refuses what
// would break a timer or a socket later.
import { MAX_ROUNDS, MIN_ROUNDS, type Properties, Type } from '@fourfold/storage-node/protocol'

/** setTimeout takes no more (24.8 days). */
const MAX_TIMER_MS = 2 ** 31 - 1
const MAX_HOURS = 24 * 366
const MAX_DAYS = 3660

/** A table that may be left out: its keys then have their defaults. */
export function table<P extends Properties>(properties: P) {
  return Type.Object(properties, { default: {}, additionalProperties: false })
}

/** A duration in milliseconds. */
export function timeoutMs(defaultMs: number) {
  return Type.Integer({ default: defaultMs, minimum: 1, maximum: MAX_TIMER_MS })
}

export function hours(defaultHours: number) {
  return Type.Number({ default: defaultHours, exclusiveMinimum: 0, maximum: MAX_HOURS })
}

export function days(defaultDays: number) {
  return Type.Number({ default: defaultDays, exclusiveMinimum: 0, maximum: MAX_DAYS })
}

/** How many of something there may be at once. */
export function count(defaultCount: number, minimum = 1, maximum = 1_000_000) {
  return Type.Integer({ default: defaultCount, minimum, maximum })
}

export function sizeBytes(defaultBytes: number, minimum = 0) {
  return Type.Integer({ default: defaultBytes, minimum, maximum: Number.MAX_SAFE_INTEGER })
}

export function flag(defaultFlag: boolean) {
  return Type.Boolean({ default: defaultFlag })
}

/** A text that is not empty. */
export function text(defaultText?: string) {
  const description = 'a text in quotes, not empty'
  return Type.String({
    minLength: 1,
    description,
    ...(defaultText === undefined ? {} : { default: defaultText }),
  })
}

/** PBKDF2 rounds of new accounts; nodes and clients believe nothing outside these limits. */
export function rounds(defaultRounds: number) {
  return Type.Integer({ default: defaultRounds, minimum: MIN_ROUNDS, maximum: MAX_ROUNDS })
}

/** A name, an IPv4 address, or an IPv6 address in brackets. */
const HOST = '\\[[0-9a-fA-F:.]+\\]|[^\\s:\\[\\]]+'
/** 1 to 65535. */
const PORT = '[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]'

/** `host:port`, `[::1]:port`. */
export const address = Type.String({
  pattern: `^(${HOST}):(${PORT})$`,
  description: 'an address such as "127.0.0.1:10001"',
})
