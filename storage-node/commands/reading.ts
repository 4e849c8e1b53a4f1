// Commands that read: the entries of one file, all entries since a change, what all of them add up
// to, the pieces of a part.
import { crc32 } from 'node:zlib'
import type { PartPlace } from '../entries.ts'
import type { VersionName } from '../entry-table.ts'
import { inlineReader, type PartReader, splitPiece } from '../part-store.ts'
import { DfsError, toDfsError } from '../protocol/index.ts'
import type { CommandsOf, Services } from './table.ts'

/** Streams of pieces at once; each keeps a piece in memory. */
const MAX_STREAMS = 512
/**
 * A stream that begins while there are no more than so many has several pieces read and sent at
 * once: a turn through the pool of threads for each costs more than the memory of a few.
 */
const FEW_STREAMS = 8
const PIECES_AT_ONCE = 4

export function readCommands(
  services: Services,
): CommandsOf<'lookup' | 'changes' | 'digest' | 'read'> {
  const { entries, parts, recentReads, recovery, traffic } = services
  let streamCount = 0

  /** A version that was replaced or deleted is there for those who are reading it. */
  function placeOf(name: VersionName, part: number): PartPlace {
    try {
      return entries.placeOf(name, part)
    } catch (error) {
      const place = recentReads.find(name, part)
      if (place === undefined) throw error
      return place
    }
  }

  return {
    lookup({ sender }, { file, withParts }) {
      const { shown, parts: stored } = entries.lookup(sender.user, file, withParts)
      const body: { bytes: Buffer; crc: number }[] = []
      const sent: number[] = []
      for (const { part, data } of stored) {
        const { piece, crc } = splitPiece(bufferOf(data!))
        if (crc32(piece) !== crc) {
          const committed = shown.find(({ state }) => state === 'committed')!
          recovery.report({ user: sender.user, file, version: committed.version }, part, 'DAMAGED')
          continue
        }
        traffic.pieceBytesSent += piece.length
        body.push({ bytes: piece, crc })
        sent.push(part)
      }
      return { header: { entries: shown, parts: sent }, body }
    },

    changes({ sender }, request) {
      const collected = entries.collectedChange(sender.user)
      const { next, more, page } = entries.changesSince({ ...request, user: sender.user })
      // Behind the end of what there is, so that a cursor from now on is not older than that.
      const end = more ? next : Math.max(next, collected)
      return { header: { next: end, more, collected }, body: [{ bytes: page, crc: crc32(page) }] }
    },

    digest({ sender }) {
      return { header: entries.digestOf(sender.user) }
    },

    async read(call, { file, version, part, from, to, unchecked = false }) {
      const name = { user: call.sender.user, file, version }
      const place = placeOf(name, part)
      if (from >= to || to > place.rows) {
        const message = `Rows ${from} to ${to} were asked for; the version has ${place.rows}.`
        throw new DfsError('BAD_MESSAGE', message)
      }
      if (streamCount >= MAX_STREAMS) {
        throw new DfsError('BUSY', 'This node is sending as many parts at once as it may.')
      }
      streamCount++
      const atOnce = streamCount > FEW_STREAMS ? 1 : PIECES_AT_ONCE
      recentReads.note(name, part, place)
      let reader: PartReader | undefined
      try {
        reader =
          place.data === null
            ? await parts.openPart(place.key!, part, place)
            : inlineReader(place.data)
        for (let row = from; row < to && call.isOpen(); row += atOnce) {
          const pieces = await reader.read(row, Math.min(atOnce, to - row))
          const wrong = unchecked ? undefined : pieces.find((one) => crc32(one.piece) !== one.crc)
          const right = wrong === undefined ? pieces : pieces.slice(0, wrong.row - row)
          for (const { piece } of right) traffic.pieceBytesSent += piece.length
          await call.send(right.map((one) => ({ ...one, more: one.row + 1 < to })))
          if (wrong !== undefined) throw damaged(wrong.row, part)
        }
        recentReads.note(name, part, place)
      } catch (error) {
        const { code } = toDfsError(error)
        if (code === 'PART_MISSING') recovery.report(name, part, code)
        // What the disk cannot read may be had from the twin and written anew.
        if (code === 'DAMAGED' || code === 'DISK_FAILED') recovery.report(name, part, 'DAMAGED')
        throw error
      } finally {
        streamCount--
        await reader?.close()
      }
      return undefined
    },
  }
}

function damaged(row: number, part: number): DfsError {
  return new DfsError('DAMAGED', `Row ${row} of part ${part} is not what was stored here.`)
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
