// Loads what `npm run build` made of web/: the renderer, the page's addresses and the names of the
// hashed assets. Knows the build's layout and nothing of its content.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { Page } from '../../web/page.ts'
import type * as paths from '../../web/paths.ts'

export interface PageBundle {
  /** The whole HTML document. */
  renderPage(page: Page): string
  listingPath: typeof paths.listingPath
  folderOf: typeof paths.folderOf
  assets: Page['assets']
  /** What is served at `/assets/`; every name carries a hash of the content. */
  assetsFolder: string
}

/**
 * @param distFolder web/dist
 * @param base path under which the site is reached, without a slash at its end
 * @throws DfsError CONF_INVALID where the page is not built
 */
export async function loadPageBundle(distFolder: string, base: string): Promise<PageBundle> {
  try {
    const manifest = await readFile(join(distFolder, 'client/.vite/manifest.json'), 'utf8')
    const renderer = await import(pathToFileURL(join(distFolder, 'server/render.js')).href)
    return {
      renderPage: renderer.renderPage,
      listingPath: renderer.listingPath,
      folderOf: renderer.folderOf,
      assets: renderer.assetPaths(manifest, base),
      assetsFolder: join(distFolder, 'client/assets'),
    }
  } catch (cause) {
    const message = 'The page is not built: run `npm run build` first.'
    throw new DfsError('CONF_INVALID', message, { cause })
  }
}
