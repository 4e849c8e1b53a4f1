// A node's folder on a file system of its own, so small that it can be filled: a tmpfs, where this
// machine lets a test mount one.
import { execFileSync } from 'node:child_process'
import { closeSync, cpSync, openSync, rmSync, statfsSync, symlinkSync, writeSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestCluster } from './cluster.ts'

export interface SmallDisk {
  path: string
  /** Leaves `leftBytes` free; undefined frees all again. */
  fill(leftBytes: number | undefined): void
  /** Leaves room for so many more files; undefined for all again. */
  useUpFiles(leftCount: number | undefined): void
  /** To be called when nobody uses it any more. */
  unmount(): void
}

/**
 * Moves node `number` (1..4), which is restarted, to a disk of `sizeBytes` and at most `fileCount`
 * files. Answers undefined where this machine does not allow that.
 */
export async function moveToSmallDisk(
  cluster: TestCluster,
  number: number,
  { sizeBytes, fileCount }: { sizeBytes: number; fileCount?: number },
): Promise<SmallDisk | undefined> {
  const path = join(cluster.folder, `small-disk-${number}`)
  await mkdir(path)
  const files = fileCount === undefined ? '' : `,nr_inodes=${fileCount}`
  try {
    const options = `size=${sizeBytes},mode=700${files}`
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'pipe' })
  } catch {
    return undefined
  }
  const node = cluster.nodes[number - 1]!
  await node.kill('SIGTERM')
  cpSync(node.folder, join(path, `DFS${number}`), { recursive: true })
  await rename(node.folder, `${node.folder}-before`)
  symlinkSync(join(path, `DFS${number}`), node.folder)
  await node.start()
  const filler = join(path, 'filler')
  return {
    path,
    fill(leftBytes) {
      rmSync(filler, { force: true })
      if (leftBytes === undefined) return
      const { bavail, bsize } = statfsSync(path)
      allocate(filler, Math.max(0, bavail * bsize - leftBytes))
    },
    useUpFiles(leftCount) {
      rmSync(`${filler}s`, { recursive: true, force: true })
      if (leftCount === undefined) return
      execFileSync('mkdir', [`${filler}s`])
      const count = statfsSync(path).ffree - leftCount
      for (let index = 0; index < count; index++) closeSync(openSync(`${filler}s/${index}`, 'w'))
    },
    unmount: () => void execFileSync('umount', [path]),
  }
}

/** Takes real room, which a hole would not; less where others take it meanwhile. */
function allocate(path: string, sizeBytes: number): void {
  const zeros = Buffer.alloc(1024 * 1024)
  const fd = openSync(path, 'w')
  try {
    for (let left = sizeBytes; left > 0; left -= zeros.length) {
      writeSync(fd, zeros, 0, Math.min(left, zeros.length))
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(fd)
  }
}
