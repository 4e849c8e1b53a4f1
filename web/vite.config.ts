// Builds what the gateway serves: assets for browsers in dist/client, and the renderer for the
// gateway itself in dist/server. One run makes both.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin } from 'vite'
import { ALL_COPIES, RING_BOX, ringPaths } from './ring.ts'

/** Modules that the first view needs, whoever else shares them. */
const FIRST_APP = 'Later|ago|api|app|cluster|files|library|order|selection|theme|toasts|view'
const FIRST_SHARED =
  'components/Ring|components/Icon|components/FileName|format|icons|paths|ring|words'
const FIRST = new RegExp(
  `/node_modules/(svelte|esm-env|clsx)/|/web/(app/(${FIRST_APP})|${FIRST_SHARED})\\.`,
)

/**
 * What comes right after it, in one file: all that must be there when the gateway is not, to give
 * it. The rest comes when it is first wanted.
 */
const SOON_SHOWN =
  'Overlays|Dialogs|DropVeil|Toasts|Banners|ClusterCard|ClusterRing|Menu|SelectionBar'
const SOON_DONE = 'keys|incoming|room|row-menu|account-menu|deletion|download|later-icons'
const SOON = new RegExp(`/web/app/(${SOON_SHOWN}|${SOON_DONE})\\.`)

const FONTS = '@fontsource-variable/atkinson-hyperlegible-next/files'

export default defineConfig({
  // Style sheet and fonts name each other relatively, so that the site works under any path.
  base: './',
  logLevel: 'warn',
  resolve: { alias: { '@fonts': FONTS } },
  plugins: [svelte({ compilerOptions: { runes: true } }), icon(), compressed()],
  environments: {
    client: {
      build: {
        outDir: 'dist/client',
        manifest: true,
        // Fonts and icon stay files: a data: address would not pass `font-src 'self'`.
        assetsInlineLimit: 0,
        rolldownOptions: {
          input: ['styles/main.css', 'app/main.ts'],
          // Small files cost more than they save: what the page begins with comes in one.
          output: {
            codeSplitting: {
              groups: [
                { name: 'first', test: FIRST },
                { name: 'soon', test: SOON },
              ],
            },
          },
        },
      },
    },
    ssr: {
      // The gateway needs nothing but the one file: Svelte's server part is inside.
      resolve: { noExternal: true },
      build: {
        outDir: 'dist/server',
        ssr: 'render.ts',
        copyPublicDir: false,
        rolldownOptions: { output: { entryFileNames: 'render.js' } },
      },
    },
  },
  builder: {
    async buildApp(builder) {
      for (const environment of Object.values(builder.environments)) {
        await builder.build(environment)
      }
    },
  },
})

/** The site's icon, drawn by the same geometry as every ring of the page. */
function icon(): Plugin {
  // Attributes, no style element: the icon obeys the same policy as the page. A middle green, since
  // nothing tells it whether the browser's tabs are light or dark.
  const [path] = ringPaths(ALL_COPIES)
  const drawing = `<path fill="none" stroke="#17917d" stroke-width="4" d="${path?.d}"/>`
  const box = `viewBox="0 0 ${RING_BOX} ${RING_BOX}"`
  const source = `<svg xmlns="http://www.w3.org/2000/svg" ${box}>${drawing}</svg>\n`
  return {
    name: 'fourfold-icon',
    applyToEnvironment: (environment) => environment.name === 'client',
    buildStart() {
      this.emitFile({ type: 'asset', name: 'icon.svg', originalFileName: 'icon.svg', source })
    },
  }
}

/** Lays a .br and a .gz beside every text asset, so that no request waits for a compressor. */
function compressed(): Plugin {
  return {
    name: 'fourfold-compressed',
    applyToEnvironment: (environment) => environment.name === 'client',
    async writeBundle({ dir = '.' }, bundle) {
      for (const asset of Object.values(bundle)) {
        const text = asset.type === 'asset' ? asset.source : asset.code
        if (!/\.(css|js|svg)$/.test(asset.fileName)) continue
        const file = join(dir, asset.fileName)
        await writeFile(`${file}.br`, await promisify(brotliCompress)(text))
        await writeFile(`${file}.gz`, await promisify(gzip)(text))
      }
    },
  }
}
