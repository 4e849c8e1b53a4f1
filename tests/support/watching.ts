// What a test sees of a running cluster from outside: whether a gateway takes uploads, what a node
// counts, how much memory a process has.
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { RequestOf, ResponseOf } from '@fourfold/storage-node/protocol'
import { request } from 'undici'
import { NodeConnection } from '../../gateway/dfs/connection.ts'
import type { TestCluster } from './cluster.ts'

const TIMEOUT_MS = 30_000
/** Between two questions: who is asked has other work. */
const POLL_MS = 20
/** A state of /proc/net/tcp. */
const ESTABLISHED = '01'

/** Runs `all` steps, at most `atOnce` of them at a time. */
export async function inParallel<T>(
  all: readonly T[],
  atOnce: number,
  step: (one: T, index: number) => Promise<void>,
): Promise<void> {
  const left = all.entries()
  const lane = async () => {
    for (const [index, one] of left) await step(one, index)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

/** Waits until the gateway at `url` sees exactly the nodes `numbers` (1..4) up. */
export async function whenGatewaySees(url: string, numbers: readonly number[]): Promise<void> {
  const expected = numbers.map((number) => `DFS${number}`).join()
  const deadlineMs = performance.now() + TIMEOUT_MS
  for (;;) {
    const names = await nodesUp(url)
    if (names === expected) return
    if (performance.now() > deadlineMs) throw new Error(`${url} sees ${names} up, not ${expected}`)
    await setTimeout(POLL_MS)
  }
}

async function nodesUp(url: string): Promise<string> {
  const answer = await request(`${url}/readyz`)
  const { nodes } = (await answer.body.json()) as { nodes: (string | NodeHealth)[] }
  // Where files cannot be read, the answer is a problem with the names of the nodes that are down.
  if (typeof nodes[0] === 'string') return NAMES.filter((name) => !nodes.includes(name)).join()
  const up = (nodes as NodeHealth[]).filter(({ health }) => health === 'up')
  return up.map(({ name }) => name).join()
}

interface NodeHealth {
  name: string
  health: string
}

const NAMES = ['DFS1', 'DFS2', 'DFS3', 'DFS4']

/** What node `number` (1..4) counts, told for the cluster key. */
export async function nodeStatus(
  cluster: TestCluster,
  number: number,
): Promise<ResponseOf<'status'>> {
  return (await askNode(cluster, number, 'status')).header
}

/** Has node `number` (1..4) read again all that it holds, now. */
export async function scrubNode(cluster: TestCluster, number: number): Promise<void> {
  await askNode(cluster, number, 'scrub')
}

async function askNode<O extends 'status' | 'scrub'>(cluster: TestCluster, number: number, op: O) {
  const { port } = cluster.nodes[number - 1]!
  const address = { index: number - 1, host: '127.0.0.1', port }
  await using connection = await NodeConnection.open(address, TIMEOUT_MS)
  // Before the connection is given back.
  return await connection.request({
    op,
    fields: {} as RequestOf<O>,
    as: { by: 'cluster', key: cluster.clusterKey },
    timeoutMs: TIMEOUT_MS,
  })
}

/** The file in which a gateway keeps a listing for its next start, in its data folder. */
export async function keptListing(data: string, withinMs: number): Promise<string> {
  const folder = join(data, 'listings')
  const deadlineMs = performance.now() + withinMs
  while (performance.now() < deadlineMs) {
    const names = await readdir(folder).catch(() => [])
    const name = names.find((one) => one.endsWith('.listing'))
    if (name !== undefined) return join(folder, name)
    await setTimeout(POLL_MS)
  }
  throw new Error('nothing was kept of a listing')
}

/** Memory that a process has in use now, bytes. */
export function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kilobytes) * 1024
}

/** How many of `clients` a server on this machine still has an open connection to, by its port. */
export function openConnections(port: number, clients: readonly Socket[]): number {
  const ports = new Set(clients.map(({ localPort }) => localPort))
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1, -1)
  return rows.filter((row) => {
    const [, local, remote, state] = row.trim().split(/\s+/)
    const [own, theirs] = [local, remote].map((end) => Number.parseInt(end!.split(':')[1]!, 16))
    return own === port && ports.has(theirs!) && state === ESTABLISHED
  }).length
}
