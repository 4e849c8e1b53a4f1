// Commands of uploads that are kept: opened, looked at, listed, taken by the one who writes now,
// gone on with, checkpointed, and remembered as done. Their rows come by `append`, under the id
// that the writer chose when it took the upload.
import { crc32 } from 'node:zlib'
import type { KeptUpload } from '../kept-uploads.ts'
import { CRC_BYTES, splitPiece } from '../part-store.ts'
import { DfsError, encodeHeader, MAX_PAGE_KEPT } from '../protocol/index.ts'
import type { Call, CommandsOf, Services } from './table.ts'

type KeptOp =
  | 'keep-open'
  | 'keep-look'
  | 'keep-list'
  | 'keep-take'
  | 'keep-resume'
  | 'keep-point'
  | 'keep-done'

export function keptCommands(services: Services): CommandsOf<KeptOp> {
  const { kept, space, traffic } = services
  return {
    async 'keep-open'({ sender }, { upload, first, size, expires, sealed, done }) {
      if (!done) space.require((size ?? 0) / 2)
      const fresh = { id: upload, first, expiresMs: expires, sealed, isDone: done }
      await kept.open(sender.user, fresh)
      return { header: {} }
    },

    'keep-look': ({ sender }, { upload }) => ({ header: shown(kept.find(sender.user, upload)) }),

    'keep-list'({ sender }, { after }) {
      const found = kept.ofUser(sender.user, after, MAX_PAGE_KEPT + 1)
      const page = found.slice(0, MAX_PAGE_KEPT).map((one) => {
        return { upload: one.row.id, ...shown(one) }
      })
      const bytes = encodeHeader(page)
      const more = found.length > MAX_PAGE_KEPT
      return { header: { more }, body: [{ bytes, crc: crc32(bytes) }] }
    },

    async 'keep-take'({ sender }, { upload, as }) {
      return { header: shown(await kept.take(sender.user, upload, as)) }
    },

    async 'keep-resume'({ sender }, { upload, number }) {
      const { tail } = await kept.resume(sender.user, upload, number)
      const body = (tail ?? []).map((bytes) => {
        const { piece, crc } = splitPiece(Buffer.from(bytes))
        traffic.pieceBytesSent += piece.length
        return { bytes: piece, crc }
      })
      return { header: {}, body }
    },

    async 'keep-point'(call, { upload, number, rows, expires, sealed }) {
      const tail = tailOf(call)
      space.require(0)
      const point = { number, rows, sealed, tail, expiresMs: expires }
      await kept.checkpoint(call.sender.user, upload, point)
      for (const [lengthBytes] of call.sections) traffic.pieceBytesReceived += lengthBytes
      return { header: {} }
    },

    async 'keep-done'({ sender }, { upload, sealed }) {
      await kept.finish(sender.user, upload, sealed)
      return { header: {} }
    },
  }
}

function shown({ row, points }: KeptUpload) {
  return {
    first: row.first,
    takes: row.takes,
    expires: row.expires_ms,
    done: row.is_done === 1,
    points: points.map(({ number, rows, sealed, tail }) => {
      return { number, rows, sealed, tail: tail !== undefined }
    }),
  }
}

/** The two pieces of a row that is not full, as they are kept. @throws DfsError BAD_MESSAGE */
function tailOf({ bodies, sections }: Call): [Buffer, Buffer] | undefined {
  if (sections.length === 0) return undefined
  if (sections.length !== 2 || sections.some(([lengthBytes]) => lengthBytes === 0)) {
    throw new DfsError('BAD_MESSAGE', 'The body of a tail is two pieces, neither of them empty.')
  }
  const [one, two] = bodies.map((piece, at) => {
    const crc = Buffer.allocUnsafe(CRC_BYTES)
    crc.writeUInt32BE(sections[at]![1], 0)
    return Buffer.concat([piece, crc])
  })
  return [one!, two!]
}
