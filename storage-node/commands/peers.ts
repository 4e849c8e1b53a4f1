// Commands of one node to another: who is here, which accounts and versions are decided, how a
// version stands that is not, and the figures of a part. Nothing here can open a byte of a file.
import { crc32 } from 'node:zlib'
import { ENTRY_FIXED_BYTES } from '../entries.ts'
import { splitPiece } from '../part-store.ts'
import { DfsError, peerProof } from '../protocol/index.ts'
import { pageReply } from './page.ts'
import type { CommandsOf, Services } from './table.ts'

/** What an account takes in a message: six byte strings, the user's name, numbers. */
const ACCOUNT_BYTES = 512

type PeerOp =
  | 'peer-prove'
  | 'peer-accounts'
  | 'peer-changes'
  | 'peer-entry'
  | 'peer-known'
  | 'peer-part'

export function peerCommands(services: Services): CommandsOf<PeerOp> {
  const { accounts, catalog, clusterKey, cursors, entries, node, peerEntries } = services
  const { recovery, traffic } = services
  return {
    'peer-prove': ({ nonce }, { challenge }) => ({
      header: { proof: peerProof(clusterKey, { node, nonce, challenge }) },
    }),

    'peer-accounts': (_call, page) =>
      pageReply({ ...page, items: accounts.toldSince, sizeOf: () => ACCOUNT_BYTES }),

    'peer-changes': (_call, page) =>
      pageReply({
        ...page,
        end: catalog.lastChange(),
        items: peerEntries.decidedSince,
        sizeOf: ({ user, sealed }) => ENTRY_FIXED_BYTES + user.length * 3 + sealed.length,
      }),

    async 'peer-entry'({ sender }, { file, version, decide }) {
      const name = { user: sender.user, file, version }
      const standing = decide
        ? await catalog.write(() => peerEntries.applyPledge(name))
        : peerEntries.standing(name)
      return { header: { standing } }
    },

    'peer-known': (_call, { node: asking, epoch }) => ({
      header: {
        ...cursors.of(asking, epoch),
        lastAccount: accounts.lastPlace(),
        lastEntry: catalog.lastChange(),
      },
    }),

    'peer-part'({ sender }, { file, version, part }) {
      const name = { user: sender.user, file, version }
      const { rows, bytes, pieceBytes, checksum, data } = entries.placeOf(name, part)
      const header = { rows, bytes, pieceBytes, checksum }
      if (data === null) return { header }
      const { piece, crc } = splitPiece(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
      if (crc32(piece) !== crc) {
        recovery.report(name, part, 'DAMAGED')
        throw new DfsError('DAMAGED', `Part ${part} is not what was stored here.`)
      }
      traffic.pieceBytesSent += piece.length
      return { header, body: [{ bytes: piece, crc }] }
    },
  }
}
