// Every address that the page links to or posts to, in one place: the contract with gateway/http.
// Knows nothing of what answers there. `base` has no slash at its end and is empty at the root.
//
//   GET  {base}/                  the listing; query: folder, q, sort, dir (asc, desc), page
//   POST {base}/session           sign in; form fields: user, password, next
//   POST {base}/sign-out          sign out; no fields
//   GET  {base}/files/{name}      a file; its name's segments are percent-encoded one by one
//   POST {base}/files             upload; multipart, field `file`, any number; query: folder
//   GET  {base}/delete?name=      asks whether to delete
//   GET  {base}/rename?name=      asks for another name; one that ends in / is a folder's
//   POST {base}/rename?name=      renames; form fields: to, replace
//   POST {base}/zip               an archive; form field `paths`, any number: as in addresses, a
//                                 folder with / at its end
//   GET  {base}/account           the user's own account
//   POST {base}/account/password  form fields: current, next, again
//   POST {base}/delete?name=      deletes; no fields, since a form would rewrite newlines in a name

/** What the listing shows; what equals the default stays out of the address. */
export interface ListingQuery {
  /** '' or a prefix that ends in '/'. */
  folder?: string
  search?: string
  sort?: 'name' | 'size' | 'modified'
  isDescending?: boolean
  /** From 1. */
  page?: number
}

/**
 * The listing; relative order of the parameters is fixed so that equal views have equal addresses.
 */
export function listingPath(base: string, query: ListingQuery = {}): string {
  const pairs: [string, string][] = []
  if (query.folder) pairs.push(['folder', query.folder])
  if (query.search) pairs.push(['q', query.search])
  if (query.sort && (query.sort !== 'name' || query.isDescending)) {
    pairs.push(['sort', query.sort], ['dir', query.isDescending ? 'desc' : 'asc'])
  }
  if (query.page !== undefined && query.page > 1) pairs.push(['page', String(query.page)])
  return `${base}/${queryString(pairs)}`
}

/**
 * The address of a file's bytes. Each segment is encoded by itself, so that `/` still makes
 * folders and a name that holds `%2F` asks for `%252F` (RFC 3986 section 2.4: encode once, decode
 * once).
 */
export function filePath(base: string, name: string): string {
  return `${base}/files/${namePath(name)}`
}

/** A name as it stands in addresses, and where a form would change what it holds. */
export function namePath(name: string): string {
  return name.split('/').map(encodeText).join('/')
}

export function uploadPath(base: string, folder: string): string {
  return `${base}/files${queryString(folder === '' ? [] : [['folder', folder]])}`
}

export function deletePath(base: string, name: string): string {
  return `${base}/delete${queryString([['name', name]])}`
}

export function renamePath(base: string, name: string): string {
  return `${base}/rename${queryString([['name', name]])}`
}

export function zipPath(base: string): string {
  return `${base}/zip`
}

export function accountPath(base: string): string {
  return `${base}/account`
}

export function passwordPath(base: string): string {
  return `${base}/account/password`
}

export function sessionPath(base: string): string {
  return `${base}/session`
}

export function signOutPath(base: string): string {
  return `${base}/sign-out`
}

/** The folder that a file is in: '' or a prefix that ends in '/'. */
export function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/') + 1)
}

/** The folders above and at `folder`, outermost first: `a/b/` gives `a/` and `a/b/`. */
export function foldersTo(folder: string): { name: string; prefix: string }[] {
  const names = folder.split('/').slice(0, -1)
  return names.map((name, index) => ({ name, prefix: `${names.slice(0, index + 1).join('/')}/` }))
}

function queryString(pairs: readonly (readonly [string, string])[]): string {
  if (pairs.length === 0) return ''
  // %20, not '+': a reader that decodes percent signs alone still gets a space.
  return `?${pairs.map(([key, value]) => `${key}=${encodeText(value)}`).join('&')}`
}

/**
 * encodeURIComponent throws at a lone surrogate; no such name is stored, and no page fails over
 * one.
 */
function encodeText(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
