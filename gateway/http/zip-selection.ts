// Which files an archive is asked to hold: names and folders as JSON or as a form's fields, looked
// up, counted, and all readable now, or else refused before a byte is sent.
import { DfsError } from '@fourfold/storage-node/protocol'
import type { Identity } from '../dfs/identity.ts'
import type { FileInfo, ListQuery, Store } from '../dfs/store.ts'
import { folderPrefix, nameFromTarget } from './request-names.ts'

/** Each costs a record in memory until the end, and its place in the directory. */
export const MAX_ZIP_FILES = 10_000
/** Lookups at once. */
const AT_ONCE = 16
/** Names that an error tells of. */
const MAX_NAMED = 100

export interface Selection {
  names: readonly string[]
  /** Folders: prefixes of names that end in `/`. */
  prefixes: readonly string[]
}

/** A field of a form that is there once or several times, or of JSON. */
type Field = string | readonly string[] | undefined

/** @throws DfsError BAD_REQUEST where nothing is selected, TOO_LARGE */
export function selectionOf(body: { names?: Field; prefix?: Field; paths?: Field }): Selection {
  const paths = [body.paths ?? []].flat().map((path) => nameFromTarget(path, ''))
  const isFolder = (path: string) => path.endsWith('/')
  const files = [body.names ?? [], paths.filter((path) => !isFolder(path))].flat(2)
  const folders = [body.prefix ?? [], paths.filter(isFolder)].flat(2)
  const names = [...new Set(files)]
  const prefixes = [...new Set(folders.map(folderPrefix))]
  if (names.length + prefixes.length === 0) {
    throw new DfsError('BAD_REQUEST', 'No file is selected.')
  }
  if (names.length + prefixes.length > MAX_ZIP_FILES) throw tooMany()
  return { names, prefixes }
}

/**
 * The files of a selection, each once, in order of name.
 * @throws DfsError FILE_NOT_FOUND with `names`, PARTS_UNAVAILABLE with `names`, `parts` and
 *   `nodes`, TOO_LARGE
 */
export async function selectedFiles(
  { names, prefixes }: Selection,
  options: { store: Store; identity: Identity; signal: AbortSignal },
): Promise<FileInfo[]> {
  const found = new Map<string, FileInfo>()
  const add = (file: FileInfo) => {
    found.set(file.name, file)
    if (found.size > MAX_ZIP_FILES) throw tooMany()
  }
  for (const prefix of prefixes) for await (const file of filesIn(prefix, options)) add(file)
  const absent: string[] = []
  const left = names.values()
  const lane = async () => {
    for (const name of left) {
      const file = await statOrNothing(name, options)
      if (file === undefined) absent.push(name)
      else add(file)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  if (absent.length > 0) throw notFound(absent)
  if (found.size === 0) throw new DfsError('FILE_NOT_FOUND', 'There is no such folder.')
  const files = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  requireReadable(files)
  return files
}

async function* filesIn(
  prefix: string,
  { store, identity, signal }: { store: Store; identity: Identity; signal: AbortSignal },
): AsyncGenerator<FileInfo> {
  let cursor: string | undefined
  do {
    const query: ListQuery = { prefix, signal, ...(cursor !== undefined && { cursor }) }
    const page = await store.list(identity, query)
    yield* page.files
    cursor = page.next
  } while (cursor !== undefined)
}

async function statOrNothing(
  name: string,
  { store, identity, signal }: { store: Store; identity: Identity; signal: AbortSignal },
): Promise<FileInfo | undefined> {
  try {
    return await store.stat(identity, name, signal)
  } catch (error) {
    if (error instanceof DfsError && error.code === 'FILE_NOT_FOUND') return undefined
    throw error
  }
}

function requireReadable(files: readonly FileInfo[]): void {
  const lost = files.filter(({ state }) => state === 'insufficient')
  if (lost.length === 0) return
  const parts = [...new Set(lost.flatMap(({ missingParts }) => missingParts))].sort()
  const nodes = [...new Set(lost.flatMap(({ missingNodes }) => missingNodes))].sort()
  const names = lost.map(({ name }) => name).slice(0, MAX_NAMED)
  const cure = nodes.length === 0 ? '' : `: ${nodes.join(' and ')} would bring their parts back`
  const message = `${lost.length} of ${files.length} selected files cannot be read now${cure}.`
  throw new DfsError('PARTS_UNAVAILABLE', message, { detail: { names, parts, nodes } })
}

function notFound(absent: readonly string[]): DfsError {
  const names = absent.slice(0, MAX_NAMED)
  const count = absent.length === 1 ? 'One selected file is' : `${absent.length} selected files are`
  return new DfsError('FILE_NOT_FOUND', `${count} not there.`, { detail: { names } })
}

function tooMany(): DfsError {
  const message = `An archive holds at most ${MAX_ZIP_FILES} files; select fewer.`
  return new DfsError('TOO_LARGE', message)
}
