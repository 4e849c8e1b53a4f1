// Keeps the compiled code of Fourfold's programs from one start to the next: compiling, and taking
// the types out, is most of the time that a program takes to start. In the user's own cache folder,
// where nobody else can put code; where that cannot be written, nothing is lost but time. This file
// and those of bin/ are JavaScript, for what runs before the cache is on is not kept: to take the
// types out of two small files, Node would load what does so, a tenth of a second each time.
import { enableCompileCache, flushCompileCache } from 'node:module'
import { join } from 'node:path'

/**
 * Call it before anything else is imported: only later imports are kept.
 * @returns {void}
 */
export function useCompileCache() {
  const { XDG_CACHE_HOME, HOME } = process.env
  const cache = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'))
  if (cache) enableCompileCache(join(cache, 'fourfold'))
}

/**
 * Writes what is new now; for servers, which rarely come to an end of their own.
 * @returns {void}
 */
export function saveCompileCache() {
  flushCompileCache()
}
