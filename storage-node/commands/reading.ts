// Commands that read: the entries of one file, all entries since a change, the pieces of a part.
import { crc32 } from 'node:zlib'
import { ENTRY_FIXED_BYTES } from '../entries.ts'
import { inlineReader, type PartReader, splitPiece } from '../part-store.ts'
import { DfsError, type Entry, encodeHeader, MAX_BODY_BYTES } from '../protocol/index.ts'
import type { CommandsOf, Services } from './table.ts'

/** A page of entries is cut here; the longest entry that may follow still fits into a body. */
const PAGE_BYTES = MAX_BODY_BYTES / 2
/** Streams of pieces at once; each keeps one piece in memory. */
const MAX_STREAMS = 512

export function readCommands(services: Services): CommandsOf<'lookup' | 'changes' | 'read'> {
  const { entries, parts, traffic } = services
  let streamCount = 0

  return {
    lookup({ sender }, { file, withParts }) {
      const found = entries.lookup(sender.user, file)
      const stored = withParts ? entries.inlineParts(sender.user, file) : []
      const body = stored.map(({ data }) => {
        const { piece, crc } = splitPiece(bufferOf(data!))
        traffic.pieceBytesSent += piece.length
        return { bytes: piece, crc }
      })
      return { header: { entries: found, parts: stored.map(({ part }) => part) }, body }
    },

    changes({ sender }, { since, limit }) {
      const page: Entry[] = []
      let next = since
      let sizeBytes = 0
      let more = false
      // One beyond the limit tells whether there is more.
      for (const [change, entry] of entries.changedSince(sender.user, since, limit + 1)) {
        more = page.length === limit || sizeBytes >= PAGE_BYTES
        if (more) break
        page.push(entry)
        next = change
        sizeBytes += ENTRY_FIXED_BYTES + entry.sealed.length
      }
      const bytes = encodeHeader(page)
      return { header: { next, more }, body: [{ bytes, crc: crc32(bytes) }] }
    },

    async read(call, { file, version, part, from, to }) {
      const place = entries.placeOf({ user: call.sender.user, file, version }, part)
      if (from >= to || to > place.rows) {
        const message = `Rows ${from} to ${to} were asked for; the version has ${place.rows}.`
        throw new DfsError('BAD_MESSAGE', message)
      }
      if (streamCount >= MAX_STREAMS) {
        throw new DfsError('BUSY', 'This node is sending as many parts at once as it may.')
      }
      streamCount++
      let reader: PartReader | undefined
      try {
        reader =
          place.data === null
            ? await parts.openPart(place.key!, part, place)
            : inlineReader(place.data)
        for (let row = from; row < to && call.isOpen(); row++) {
          const { piece, crc } = await reader.read(row)
          traffic.pieceBytesSent += piece.length
          await call.send({ row, more: row + 1 < to }, piece, crc)
        }
      } finally {
        streamCount--
        await reader?.close()
      }
      return undefined
    },
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
