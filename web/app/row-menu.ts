// What the menu of one row offers: only what can be done with that file or folder now.
import type { App, MenuItem } from './app.svelte.ts'
import { type Item, isFolder, keyOf } from './files.ts'

export function rowMenu(app: App, item: Item): MenuItem[] {
  const key = keyOf(item)
  const isOpenable = app.canOpen(item)
  const entries: (MenuItem | false)[] = [
    isOpenable && { label: 'Open', act: () => app.open(item) },
    isOpenable && {
      label: isFolder(item) ? 'Download as zip' : 'Download',
      act: () => app.download([key]),
    },
    !isFolder(item) && {
      label: 'Details',
      act: () => {
        app.dialog = { kind: 'details', name: item.name }
      },
    },
    { label: 'Rename or move…', act: () => app.askName([key]) },
    {
      label: app.selection.chosen.has(key) ? 'Unselect' : 'Select',
      act: () => app.selection.toggle(key),
    },
    { label: 'Delete', act: () => app.remove([key]), isDanger: true },
  ]
  return entries.filter((entry) => entry !== false)
}
