// Renames files and folders one by one. Stops at the first refusal: what was renamed by then keeps
// its new name, and the listing shows it.
import { formatCount } from '../../format.ts'
import type { App } from '../app.svelte.ts'

/**
 * @param target the new name of a file, or the new prefix of a folder
 * @throws ApiError of the first that was refused
 */
export async function renameAll(
  app: App,
  keys: readonly string[],
  target: (key: string) => string,
  replace: boolean,
): Promise<void> {
  let count = 0
  try {
    for (const key of keys) {
      const to = target(key)
      if (to === key) continue
      await app.api.rename(key, to, replace)
      count += 1
      app.selection.drop([key])
      if (app.selection.cursor === key) app.selection.pick(to)
    }
    app.toasts.say(`${formatCount(count, 'item')} moved.`)
  } finally {
    await app.library.refresh()
  }
}
