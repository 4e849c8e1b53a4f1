// Downloads that the browser itself writes to disk as they come: one file as it is, several as a
// zip.
import { formatCount } from '../format.ts'
import { namePath } from '../paths.ts'
import type { App } from './app.svelte.ts'

/** @param keys names of files and prefixes of folders */
export function download(app: App, keys: readonly string[]): void {
  const [first] = keys
  if (first === undefined) return
  const isOne = keys.length === 1 && !first.endsWith('/')
  if (isOne) follow(`${app.addressOf(first)}?download`)
  else sendForm(`${app.api.base}/zip`, keys)
  const what = isOne ? 'Download' : `Download of ${formatCount(keys.length, 'item')}`
  app.toasts.announce(`${what} started.`)
}

/** Lets the browser fetch an address that answers with an attachment. */
function follow(address: string): void {
  const link = document.createElement('a')
  link.href = address
  link.download = ''
  link.click()
}

/** A form, not a fetch: the browser writes the answer to disk as it comes. */
function sendForm(action: string, keys: readonly string[]): void {
  const form = document.createElement('form')
  form.method = 'post'
  form.action = action
  form.hidden = true
  for (const key of keys) {
    const field = document.createElement('input')
    // As in addresses: a form would turn a newline in a name into two characters.
    field.name = 'paths'
    field.value = namePath(key)
    form.append(field)
  }
  document.body.append(form)
  form.submit()
  form.remove()
}
