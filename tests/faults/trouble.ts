// The troubles of a plan, done to an arena and undone again.
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { skipWithoutStrace, tamper } from '../support/strace.ts'
import { type Arena, partFiles } from './arena.ts'
import type { Trouble } from './plan.ts'

/** Begins the trouble; answers how it ends. Both do nothing where the machine does not allow it. */
export async function begin(arena: Arena, trouble: Trouble): Promise<() => Promise<void>> {
  const { cluster, gateways } = arena
  const nodesOf = (numbers: readonly number[]) =>
    numbers.map((number) => cluster.nodes[number - 1]!)
  switch (trouble.kind) {
    case 'kill': {
      const nodes = nodesOf(trouble.nodes)
      await Promise.all(nodes.map((node) => node.kill(trouble.signal)))
      return async () => void (await Promise.all(nodes.map((node) => node.start())))
    }
    case 'bounce': {
      for (const node of nodesOf(trouble.nodes)) {
        await node.kill()
        await node.start()
      }
      return async () => {}
    }
    case 'wipe': {
      for (const node of nodesOf(trouble.nodes)) {
        await node.kill()
        for (const name of readdirSync(node.folder)) {
          rmSync(join(node.folder, name), { recursive: true })
        }
        await node.start()
      }
      return () => arena.whenRepaired()
    }
    case 'stop': {
      const nodes = nodesOf(trouble.nodes)
      for (const node of nodes) await node.kill('SIGSTOP')
      return async () => {
        for (const node of nodes) await node.kill('SIGCONT')
      }
    }
    case 'gateway': {
      const gateway = gateways[trouble.gateway]!
      await gateway.kill(trouble.signal)
      return () => gateway.start()
    }
    case 'weather': {
      const relays = trouble.nodes.map((node) => gateways[trouble.gateway]!.relays[node - 1]!)
      for (const relay of relays) relay.become(trouble.weather)
      return async () => {
        for (const relay of relays) relay.become({ kind: 'fair' })
      }
    }
    case 'rot':
      for (const { folder } of nodesOf(trouble.nodes)) flipBit(folder, trouble.at)
      // Where two neighbours may lose bytes, damage must not outlast its round.
      return async () => {
        await arena.whenSettled()
        for (const node of trouble.nodes) await arena.whenMended(node)
      }
    case 'full':
      await arena.fillDisk(trouble.leftBytes)
      return () => arena.fillDisk(undefined)
    case 'failing': {
      if (skipWithoutStrace !== false) return async () => {}
      const [node] = nodesOf(trouble.nodes)
      const { pid } = node!.process.child
      const calls = 'fsync,fdatasync'
      const strace = await tamper({ pid: pid!, calls, what: 'error=EIO', when: trouble.when })
      return async () => void (await strace[Symbol.asyncDispose]())
    }
    case 'short':
      for (const node of trouble.nodes) arena.limitFileSize(node, trouble.sizeBytes)
      return async () => {
        for (const node of trouble.nodes) arena.limitFileSize(node, undefined)
      }
  }
}

/** One bit of one part file, wherever `at` (0 up to 1) falls among them all. */
function flipBit(folder: string, at: number): void {
  const files = partFiles(folder)
  const path = files[Math.floor(at * files.length)]
  // A version that is replaced at this moment takes its files away.
  if (path === undefined || !existsSync(path)) return
  const fd = openSync(path, 'r+')
  try {
    const { size } = fstatSync(fd)
    const position = Math.floor(((at * files.length) % 1) * size)
    const byte = Buffer.alloc(1)
    readSync(fd, byte, 0, 1, position)
    byte[0]! ^= 4
    writeSync(fd, byte, 0, 1, position)
  } finally {
    closeSync(fd)
  }
}
