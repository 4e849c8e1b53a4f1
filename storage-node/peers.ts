// The three other nodes of the ring as this node reaches them: one link each, made when it is
// wanted, and not tried again at once after a failure. Knows no commands.
import { readFileSync } from 'node:fs'
import type { DfsConf } from '@fourfold/conf'
import { type PeerAddress, PeerLink } from './peer-link.ts'
import { DfsError, toDfsError } from './protocol/index.ts'

const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 5000

export interface Peer {
  /** 1..4 */
  readonly node: number
  /** The link answered at the last try. */
  readonly isUp: boolean
  /**
   * The link, made now where there is none.
   * @throws DfsError as `PeerLink.open`; at once, while a failure is recent
   */
  link(): Promise<PeerLink>
  /** Ends the link; what waits for it fails. No other is made. */
  close(): void
}

/** The peers of node `node` (1..4): three, or none where the conf names none. */
export function createPeers(options: {
  conf: DfsConf
  node: number
  clusterKey: Uint8Array
}): Peer[] {
  const { conf, node, clusterKey } = options
  return addressesOf(conf)
    .filter((address) => address.node !== node)
    .map((address) => createPeer(address, clusterKey))
}

function createPeer(address: PeerAddress, clusterKey: Uint8Array): Peer {
  let link: PeerLink | undefined
  let opening: Promise<PeerLink> | undefined
  let failure: DfsError | undefined
  let delayMs = FIRST_DELAY_MS
  let retryMs = 0
  let isClosed = false

  async function open(): Promise<PeerLink> {
    try {
      link = await PeerLink.open(address, clusterKey)
      if (isClosed) link.close()
      delayMs = FIRST_DELAY_MS
      failure = undefined
      return link
    } catch (error) {
      failure = toDfsError(error, 'NODE_GONE')
      retryMs = performance.now() + delayMs
      delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)
      throw failure
    } finally {
      opening = undefined
    }
  }

  return {
    node: address.node,
    get isUp() {
      return link?.isOpen === true
    },
    async link() {
      if (isClosed) throw new DfsError('NODE_GONE', 'The node is stopping.')
      if (link?.isOpen === true) return link
      if (failure !== undefined && performance.now() < retryMs) throw failure
      opening ??= open()
      return opening
    },
    close() {
      isClosed = true
      link?.close()
    },
  }
}

/** @throws DfsError CONF_INVALID where the CA file cannot be read */
function addressesOf({ peers, tls }: DfsConf): PeerAddress[] {
  const { ca_file: caFile, servername } = tls
  let secure: PeerAddress['tls']
  try {
    if (caFile !== undefined) {
      secure = { ca: readFileSync(caFile), ...(servername !== undefined && { servername }) }
    }
  } catch (cause) {
    throw new DfsError('CONF_INVALID', `tls.ca_file cannot be read: ${caFile}.`, { cause })
  }
  return peers.map((address, index) => {
    const at = address.lastIndexOf(':')
    const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1')
    const port = Number(address.slice(at + 1))
    return { node: index + 1, host, port, ...(secure !== undefined && { tls: secure }) }
  })
}
