// Commands that decide about versions: commit, abort, delete. Part files are removed only after the
// transaction that forgets them is on the disk.
import type { CommandsOf, Services } from './table.ts'

export function versionCommands(
  services: Services,
): CommandsOf<'commit' | 'abort-version' | 'delete'> {
  const { catalog, entries, parts } = services
  return {
    async commit({ sender }, { file, version }) {
      const name = { user: sender.user, file, version }
      await parts.discard(await catalog.write(() => entries.applyCommit(name)))
      return { header: {} }
    },

    async 'abort-version'({ sender }, { file, version }) {
      const name = { user: sender.user, file, version }
      await parts.discard(await catalog.write(() => entries.applyAbort(name)))
      return { header: {} }
    },

    async delete({ sender }, { file, version, condition }) {
      const name = { user: sender.user, file, version }
      const result = await catalog.write(() => entries.applyDelete(name, condition))
      await parts.discard(result.doomed)
      return { header: { existed: result.existed } }
    },
  }
}
