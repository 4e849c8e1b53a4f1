// Where versions went that were moved to other names, for readers who are in the middle of one and
// ask for its next rows under the old name. In memory, and the oldest are forgotten: whoever comes
// later looks the file up.
import type { VersionName } from './entry-table.ts'

const MAX_REMEMBERED = 10_000
/** A version that goes back and forth is followed so far. */
const MAX_STEPS = 32

export type MovedVersions = ReturnType<typeof createMovedVersions>

export function createMovedVersions() {
  const targets = new Map<string, VersionName>()

  return {
    add(from: VersionName, to: VersionName): void {
      targets.set(keyOf(from), to)
      if (targets.size <= MAX_REMEMBERED) return
      for (const oldest of targets.keys()) {
        targets.delete(oldest)
        return
      }
    },

    /** Where a version is now; undefined where it was not moved, as far as is remembered. */
    find(name: VersionName): VersionName | undefined {
      let found: VersionName | undefined
      for (let step = 0; step < MAX_STEPS; step++) {
        const next = targets.get(keyOf(found ?? name))
        if (next === undefined) break
        found = next
      }
      return found
    },
  }
}

function keyOf({ user, file, version }: VersionName): string {
  return `${Buffer.from(file).toString('latin1')}${Buffer.from(version).toString('latin1')}${user}`
}
