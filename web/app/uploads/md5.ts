// MD5 (RFC 1321) of a file, in slices between which the page stays alive. Written out here, since
// the page's policy allows no WebAssembly; the gateway checks what arrives by it.
const SLICE_BYTES = 1024 * 1024
const STEP_BYTES = 64

/** Per round and step: how far to turn. RFC 1321 section 3.4. */
const TURNS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const

/** T[i] of the RFC: the whole part of 4294967296 times abs(sin(i + 1)). */
const SINES = Int32Array.from({ length: 64 }, (_, i) =>
  Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32),
)

/** Hex; rejects where the file can no longer be read. */
export async function md5Of(file: Blob, signal: AbortSignal): Promise<string> {
  const sums = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476)
  const whole = file.size - (file.size % STEP_BYTES)
  for (let from = 0; from < whole; from += SLICE_BYTES) {
    const slice = file.slice(from, Math.min(whole, from + SLICE_BYTES))
    add(sums, new DataView(await slice.arrayBuffer()))
    signal.throwIfAborted()
  }
  const rest = new Uint8Array(await file.slice(whole).arrayBuffer())
  add(sums, new DataView(padded(rest, file.size).buffer))
  const bytes = new DataView(new ArrayBuffer(16))
  for (const [index, sum] of sums.entries()) bytes.setInt32(index * 4, sum, true)
  return [...new Uint8Array(bytes.buffer)].map((b) => b.toString(16).padStart(2, '0')).join('')
}

/** Section 3.1 and 3.2: a one bit, zeros, and the length in bits. */
function padded(rest: Uint8Array, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(rest.length + 9 > STEP_BYTES ? 2 * STEP_BYTES : STEP_BYTES)
  all.set(rest)
  all[rest.length] = 0x80
  new DataView(all.buffer).setBigUint64(all.length - 8, BigInt(sizeBytes) * 8n, true)
  return all
}

/** Section 3.4, for every 64 bytes. */
function add(sums: Int32Array, data: DataView): void {
  const words = new Int32Array(16)
  for (let at = 0; at < data.byteLength; at += STEP_BYTES) {
    for (let i = 0; i < 16; i++) words[i] = data.getInt32(at + 4 * i, true)
    let [a, b, c, d] = sums as unknown as [number, number, number, number]
    for (let i = 0; i < 64; i++) {
      const round = i >> 4
      let mixed: number
      let word: number
      if (round === 0) {
        mixed = (b & c) | (~b & d)
        word = i
      } else if (round === 1) {
        mixed = (b & d) | (c & ~d)
        word = (5 * i + 1) & 15
      } else if (round === 2) {
        mixed = b ^ c ^ d
        word = (3 * i + 5) & 15
      } else {
        mixed = c ^ (b | ~d)
        word = (7 * i) & 15
      }
      const sum = (a + mixed + SINES[i]! + words[word]!) | 0
      const turn = TURNS[round]![i & 3]!
      a = d
      d = c
      c = b
      b = (b + ((sum << turn) | (sum >>> (32 - turn)))) | 0
    }
    sums[0] = (sums[0]! + a) | 0
    sums[1] = (sums[1]! + b) | 0
    sums[2] = (sums[2]! + c) | 0
    sums[3] = (sums[3]! + d) | 0
  }
}
