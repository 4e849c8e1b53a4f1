// How file names and paths come out of requests: from the path of a URL, from a form, from a
// `next` field. Pure. Whether a name is allowed is the store's to say; here only its encoding is
// undone.
import { DfsError } from '@fourfold/storage-node/protocol'

/**
 * The name after `/files/` in a raw request target, decoded once: `%2F` becomes `/`, `%252F`
 * becomes `%2F`.
 * @throws DfsError NAME_INVALID where the percent-encoding is not UTF-8
 */
export function nameFromTarget(target: string, prefix: string): string {
  // RFC 9112 section 3.2.2: a target may be a whole address, as clients of a proxy send it.
  const [path = ''] = target.replace(/^https?:\/\/[^/?]*/i, '').split('?', 1)
  // RFC 3986 section 6.2.2.2: letters of the prefix may be percent-encoded; its slashes are not.
  const rest = path.split('/').slice(prefix.split('/').length - 1)
  try {
    return decodeURIComponent(rest.join('/'))
  } catch (cause) {
    const message = 'The file name in the address is not percent-encoded UTF-8.'
    throw new DfsError('NAME_INVALID', message, { cause })
  }
}

/** A name as it stands in an address: each segment encoded by itself. */
export function nameToPath(name: string): string {
  return name.toWellFormed().split('/').map(encodeURIComponent).join('/')
}

/**
 * A file name of a multipart form. Browsers and curl encode just these three (HTML standard,
 * "multipart form data": line feed, carriage return, double quote), so any other `%` stands for
 * itself.
 * @throws DfsError NAME_INVALID where the bytes are not UTF-8: the parser puts U+FFFD in their
 *   place
 */
export function nameFromForm(filename: string): string {
  if (filename.includes('\uFFFD')) {
    throw new DfsError('NAME_INVALID', 'The file name in the form is not UTF-8.')
  }
  return filename.replace(/%(0A|0D|22)/gi, (sequence) =>
    String.fromCharCode(Number.parseInt(sequence.slice(1), 16)),
  )
}

/** A folder as a prefix of names: empty, or with one `/` at its end. */
export function folderPrefix(folder: string | undefined): string {
  if (folder === undefined || folder === '' || folder === '/') return ''
  return folder.endsWith('/') ? folder : `${folder}/`
}

/** Where to go after signing in: a path of this site, or its root for anything else. */
export function localPath(next: unknown, base: string): string {
  const root = `${base}/`
  if (typeof next !== 'string' || !next.startsWith('/')) return root
  // Browsers take `/\x` and `/%09/x` for other sites' addresses; resolving shows what they would
  // do.
  const url = URL.parse(next, 'http://here.invalid')
  if (url === null || url.origin !== 'http://here.invalid' || url.username !== '') return root
  if (/[\\\s]/.test(next) || url.pathname.startsWith('//')) return root
  return url.pathname.startsWith(root) ? `${url.pathname}${url.search}` : root
}
