// Commands that say how the node is: ping for anyone, status for the operator, who may also ask for
// a scrub.
import type { CommandsOf, Services } from './table.ts'

export function statusCommands(services: Services): CommandsOf<'ping' | 'status' | 'scrub'> {
  const { accounts, catalog, connectionCount, peerEntries, recovery, space, traffic } = services
  return {
    ping: () => ({ header: { timeMs: Date.now(), isFull: space.isFull() } }),
    status: () => ({
      header: {
        timeMs: Date.now(),
        startedMs: services.startedMs,
        users: accounts.userCount(),
        ...catalog.totals(),
        freeBytes: space.freeBytes(),
        diskBytes: space.diskBytes(),
        reserveBytes: services.reserveBytes,
        connections: connectionCount(),
        ...traffic,
        undecided: peerEntries.undecidedCount(),
        repair: recovery.state(),
        scrub: recovery.scrub.state(),
      },
    }),
    async scrub() {
      await recovery.scrub.hurry()
      return { header: {} }
    },
  }
}
