// Downloads that the browser itself writes to disk as they come: one file as it is, several as a
// zip.
import { formatCount } from '../format.ts'
import { namePath } from '../paths.ts'
import type { App } from './app.svelte.ts'

/** The gateway's own bound. */
const MAX_ZIP_FILES = 10_000
/** Until the browser has begun to save and asks the page whether it may be left. */
const SAVING_MS = 2000

/** @param keys names of files and prefixes of folders */
export function download(app: App, keys: readonly string[]): void {
  const [first] = keys
  if (first === undefined) return
  const isOne = keys.length === 1 && !first.endsWith('/')
  if (isOne) follow(`${app.addressOf(first)}?download`)
  else {
    const fault = whyNoZip(app, keys)
    if (fault !== undefined) {
      app.toasts.say(fault, { isBad: true })
      return
    }
    app.isSaving = true
    setTimeout(() => {
      app.isSaving = false
    }, SAVING_MS)
    sendForm(`${app.api.base}/zip`, keys)
  }
  const what = isOne ? 'Download' : `Download of ${formatCount(keys.length, 'item')}`
  app.toasts.announce(`${what} started.`)
}

/** A form's answer that is no archive would take the place of the page, and of its uploads. */
function whyNoZip(app: App, keys: readonly string[]): string | undefined {
  if (!app.cluster.isReachable) return "Can't reach the gateway."
  const files = app.filesOf(keys)
  if (files.length > MAX_ZIP_FILES) {
    return `An archive holds at most ${formatCount(MAX_ZIP_FILES, 'file')}.`
  }
  const shut = files.filter((file) => !app.canOpen(file))
  if (shut.length === 0) return undefined
  return `${formatCount(shut.length, 'file')} cannot be opened now. ${app.whyShut(shut[0]!)}`
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
