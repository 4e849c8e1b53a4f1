// Keeps the compiled code of Fourfold's programs from one start to the next: compiling, and taking
// the types out, is most of the time that a program takes to start. In the user's own cache folder,
// where nobody else can put code; where that cannot be written, nothing is lost but time.
import { enableCompileCache, flushCompileCache } from 'node:module'
import { join } from 'node:path'

/** Call it before anything else is imported: only later imports are kept. */
export function useCompileCache(): void {
  const { XDG_CACHE_HOME, HOME } = process.env
  const cache = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'))
  if (cache) enableCompileCache(join(cache, 'fourfold'))
}

/** Writes what is new now; for servers, which rarely come to an end of their own. */
export function saveCompileCache(): void {
  flushCompileCache()
}
