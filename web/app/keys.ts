// What each key does while no field has the focus. Knows the app's verbs and nothing of how the
// page looks; lists go by rows, which the list itself brings into view.
import type { App } from './app.svelte.ts'

/** Rows that Page Up and Page Down pass. */
const PAGE_ROWS = 15

const SEARCH_FIELD = '#q'

/** `?` and its sheet list the same. */
export function handleKey(app: App, event: KeyboardEvent): void {
  if (event.defaultPrevented || app.user === undefined || isTaken(event)) return
  const act = event.ctrlKey || event.metaKey ? withControl(app, event) : alone(app, event)
  if (act === undefined) return
  event.preventDefault()
  act()
}

/** Dialogs, menus and fields have keys of their own; buttons and links keep Enter and Space. */
function isTaken({ target, key }: KeyboardEvent): boolean {
  if (document.querySelector('dialog[open], [popover]:popover-open') !== null) return true
  if (!(target instanceof Element)) return false
  if (target.closest('textarea, select, [contenteditable], input:not([type="checkbox"])'))
    return true
  return (key === 'Enter' || key === ' ') && target.closest('button, a, summary, input') !== null
}

function withControl(app: App, { key, shiftKey, altKey }: KeyboardEvent) {
  if (key.toLowerCase() !== 'a' || shiftKey || altKey) return undefined
  if (app.view.screen !== 'files') return undefined
  return () => app.selection.chooseAll()
}

function alone(app: App, { key, shiftKey, altKey }: KeyboardEvent): (() => void) | undefined {
  const { selection, view } = app
  if (altKey) return undefined
  switch (key) {
    case '/':
      return () => document.querySelector<HTMLInputElement>(SEARCH_FIELD)?.focus()
    case '?':
      return () => {
        app.dialog = { kind: 'shortcuts' }
      }
    case 'Escape':
      return () => selection.clear()
    case 'u':
    case 'U':
      return () => app.choose('files')
  }
  if (view.screen !== 'files') return undefined
  switch (key) {
    case 'ArrowDown':
      return () => selection.move(1, shiftKey)
    case 'ArrowUp':
      return () => selection.move(-1, shiftKey)
    case 'PageDown':
      return () => selection.move(PAGE_ROWS, shiftKey)
    case 'PageUp':
      return () => selection.move(-PAGE_ROWS, shiftKey)
    case 'Home':
      return () => selection.move(Number.NEGATIVE_INFINITY, shiftKey)
    case 'End':
      return () => selection.move(Number.POSITIVE_INFINITY, shiftKey)
    case 'Backspace':
      return view.folder === '' ? undefined : () => view.open(parentOf(view.folder))
  }
  return onRow(app, key)
}

/** Keys that act on the cursor's row, or on the chosen ones. */
function onRow(app: App, key: string): (() => void) | undefined {
  const { item, cursor } = app.selection
  const targets = app.targets()
  if (targets.length === 0) return undefined
  switch (key) {
    case ' ':
      return cursor === undefined ? undefined : () => app.selection.toggle(cursor)
    case 'Enter':
      return item === undefined ? undefined : () => app.open(item)
    case 'd':
    case 'D':
      return () => app.download(targets)
    case 'Delete':
      return () => app.remove(targets)
    case 'F2':
      return () => app.askName(targets)
    case 'i':
    case 'I':
      return cursor === undefined || cursor.endsWith('/')
        ? undefined
        : () => {
            app.dialog = { kind: 'details', name: cursor }
          }
  }
  return undefined
}

function parentOf(folder: string): string {
  return folder.slice(0, folder.lastIndexOf('/', folder.length - 2) + 1)
}
