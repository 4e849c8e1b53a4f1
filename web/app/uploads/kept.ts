// What a reload needs to go on with unfinished uploads. In the session's own storage: it ends with
// the tab, so no file name stays behind on a shared computer.
const KEY = 'fourfold-uploads'

export interface KeptUpload {
  user: string
  name: string
  size: number
  lastModified: number
  /** A file of this name may go. */
  mayReplace: boolean
  /** Where the gateway keeps what has arrived. */
  url: string
  sent: number
}

export function keptUploads(user: string): KeptUpload[] {
  return read().filter((kept) => kept.user === user)
}

export function keep(upload: KeptUpload): void {
  write([...read().filter(({ url }) => url !== upload.url), upload])
}

export function forget(url: string): void {
  write(read().filter((kept) => kept.url !== url))
}

export function forgetAll(): void {
  write([])
}

function read(): KeptUpload[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '[]')
  } catch {
    return []
  }
}

function write(uploads: KeptUpload[]): void {
  if (uploads.length === 0) sessionStorage.removeItem(KEY)
  else sessionStorage.setItem(KEY, JSON.stringify(uploads))
}
