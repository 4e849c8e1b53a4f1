// A zip archive of files that are stored as they are, written in one pass: sizes are known before,
// checksums only after the bytes, so each file is followed by a data descriptor. Grammar and field
// names as in PKWARE's APPNOTE 6.3, sections 4.3 to 4.5. Pure; where bytes come from is not known
// here, nor whether names are safe.
//
//   archive    = { local content descriptor } { central } [ end64 locator64 ] end
//   local      = header(30) name extras        ; sections 4.3.7, 4.5
//   descriptor = signature crc sizes           ; 16 bytes, or 24 where a size needs 8
//
// Zip64 fields are there only where a number does not fit without them: old readers know none.

export interface ZipEntry {
  /** Path with `/`; UTF-8. */
  path: string
  sizeBytes: number
  modifiedMs: number
}

/** An entry whose place in the archive is known. */
export interface PlacedEntry extends ZipEntry {
  offset: number
  name: Buffer
}

const MAX_16 = 0xffff
const MAX_32 = 0xffff_ffff
/** Bit 3: crc and sizes follow the content. Bit 11: the name is UTF-8. */
const FLAGS = 0x0808
const VERSION = 20
const VERSION_ZIP64 = 45
/** Made on Unix; a plain file that its owner writes and everybody reads. */
const MADE_BY = (3 << 8) | VERSION_ZIP64
const FILE_MODE = 0o100644 * 2 ** 16

/** Where everything is in an archive; `sizeBytes`: of all of it. */
export interface ZipLayout {
  placed: PlacedEntry[]
  centralOffset: number
  centralBytes: number
  sizeBytes: number
}

export function layOut(entries: readonly ZipEntry[]): ZipLayout {
  let offset = 0
  const placed = entries.map((entry) => {
    const one = { ...entry, offset, name: Buffer.from(entry.path) }
    offset += localHeader(one).length + entry.sizeBytes + descriptor(one, 0).length
    return one
  })
  const centralBytes = placed.reduce((sum, one) => sum + centralRecord(one, 0).length, 0)
  const directory = { count: placed.length, centralBytes, centralOffset: offset }
  const sizeBytes = offset + centralBytes + endRecords(directory).length
  return { placed, centralOffset: offset, centralBytes, sizeBytes }
}

/** What comes before the content. Section 4.4.4: the CRC is zero where bit 3 is set. */
export function localHeader(entry: PlacedEntry): Buffer {
  const isLarge = needsZip64(entry)
  const size = isLarge ? MAX_32 : 0
  const extras = [
    timeField(entry),
    ...(isLarge ? [zip64Field([entry.sizeBytes, entry.sizeBytes])] : []),
  ]
  const extra = Buffer.concat(extras)
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x0403_4b50, 0)
  writeCommon(header, 4, { entry, isLarge, crc: 0, sizes: [size, size], extra })
  return Buffer.concat([header, entry.name, extra])
}

/** What comes after the content: its CRC-32 and sizes (section 4.3.9). */
export function descriptor(entry: PlacedEntry, crc: number): Buffer {
  const isLarge = needsZip64(entry)
  const bytes = Buffer.alloc(isLarge ? 24 : 16)
  bytes.writeUInt32LE(0x0807_4b50, 0)
  bytes.writeUInt32LE(crc, 4)
  for (const index of [0, 1]) {
    if (isLarge) bytes.writeBigUInt64LE(BigInt(entry.sizeBytes), 8 + 8 * index)
    else bytes.writeUInt32LE(entry.sizeBytes, 8 + 4 * index)
  }
  return bytes
}

/** The entry's record in the central directory (section 4.3.12). */
export function centralRecord(entry: PlacedEntry, crc: number): Buffer {
  const isLarge = needsZip64(entry)
  const isFar = entry.offset >= MAX_32
  const numbers = [
    ...(isLarge ? [entry.sizeBytes, entry.sizeBytes] : []),
    ...(isFar ? [entry.offset] : []),
  ]
  const extra = Buffer.concat([
    timeField(entry),
    ...(numbers.length > 0 ? [zip64Field(numbers)] : []),
  ])
  const size = isLarge ? MAX_32 : entry.sizeBytes
  const header = Buffer.alloc(46)
  header.writeUInt32LE(0x0201_4b50, 0)
  header.writeUInt16LE(MADE_BY, 4)
  writeCommon(header, 6, { entry, isLarge: isLarge || isFar, crc, sizes: [size, size], extra })
  header.writeUInt32LE(FILE_MODE, 38)
  header.writeUInt32LE(isFar ? MAX_32 : entry.offset, 42)
  return Buffer.concat([header, entry.name, extra])
}

/** The end of the archive (sections 4.3.14 to 4.3.16). */
export function endRecords(directory: {
  count: number
  centralBytes: number
  centralOffset: number
}): Buffer {
  const { count, centralBytes, centralOffset } = directory
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x0605_4b50, 0)
  end.writeUInt16LE(Math.min(count, MAX_16), 8)
  end.writeUInt16LE(Math.min(count, MAX_16), 10)
  end.writeUInt32LE(Math.min(centralBytes, MAX_32), 12)
  end.writeUInt32LE(Math.min(centralOffset, MAX_32), 16)
  const fits = count < MAX_16 && centralBytes < MAX_32 && centralOffset < MAX_32
  if (fits) return end
  const end64 = Buffer.alloc(56 + 20)
  end64.writeUInt32LE(0x0606_4b50, 0)
  end64.writeBigUInt64LE(44n, 4)
  end64.writeUInt16LE(MADE_BY, 12)
  end64.writeUInt16LE(VERSION_ZIP64, 14)
  end64.writeBigUInt64LE(BigInt(count), 24)
  end64.writeBigUInt64LE(BigInt(count), 32)
  end64.writeBigUInt64LE(BigInt(centralBytes), 40)
  end64.writeBigUInt64LE(BigInt(centralOffset), 48)
  end64.writeUInt32LE(0x0706_4b50, 56)
  end64.writeBigUInt64LE(BigInt(centralOffset + centralBytes), 64)
  end64.writeUInt32LE(1, 72)
  return Buffer.concat([end64, end])
}

function needsZip64({ sizeBytes }: ZipEntry): boolean {
  return sizeBytes >= MAX_32
}

/** The fields that the local and the central header share, from "version needed" on. */
function writeCommon(
  header: Buffer,
  at: number,
  fields: {
    entry: PlacedEntry
    isLarge: boolean
    crc: number
    sizes: [number, number]
    extra: Buffer
  },
): void {
  const { entry, isLarge, crc, sizes, extra } = fields
  const { date, time } = dosTime(entry.modifiedMs)
  header.writeUInt16LE(isLarge ? VERSION_ZIP64 : VERSION, at)
  header.writeUInt16LE(FLAGS, at + 2)
  // Method 0: stored.
  header.writeUInt16LE(time, at + 6)
  header.writeUInt16LE(date, at + 8)
  header.writeUInt32LE(crc, at + 10)
  header.writeUInt32LE(sizes[0], at + 14)
  header.writeUInt32LE(sizes[1], at + 18)
  header.writeUInt16LE(entry.name.length, at + 22)
  header.writeUInt16LE(extra.length, at + 24)
}

/** Two-second steps from 1980 to 2107, and no time zone (section 4.4.6): UTC is written. */
function dosTime(timeMs: number): { date: number; time: number } {
  const at = new Date(timeMs)
  const year = at.getUTCFullYear()
  if (Number.isNaN(year) || year < 1980) return { date: (1 << 5) | 1, time: 0 }
  if (year > 2107) return { date: (127 << 9) | (12 << 5) | 31, time: 0 }
  const date = ((year - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate()
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1)
  return { date, time }
}

/** Info-ZIP's "extended timestamp": seconds since 1970, where 31 bits hold them. */
function timeField({ modifiedMs }: ZipEntry): Buffer {
  const seconds = Math.floor(modifiedMs / 1000)
  if (!(seconds >= 0 && seconds <= 0x7fff_ffff)) return Buffer.alloc(0)
  const field = Buffer.alloc(9)
  field.writeUInt16LE(0x5455, 0)
  field.writeUInt16LE(5, 2)
  field.writeUInt8(1, 4)
  field.writeUInt32LE(seconds, 5)
  return field
}

/** Section 4.5.3: the numbers that did not fit, in the order of the header's fields. */
function zip64Field(numbers: readonly number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * numbers.length)
  field.writeUInt16LE(0x0001, 0)
  field.writeUInt16LE(8 * numbers.length, 2)
  for (const [index, number] of numbers.entries()) {
    field.writeBigUInt64LE(BigInt(number), 4 + 8 * index)
  }
  return field
}
