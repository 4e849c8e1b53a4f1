// Builds what the gateway serves: assets for browsers in dist/client, and the renderer for the gateway
// itself in dist/server. One run makes both; no script is among the assets yet.
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin } from 'vite'
import { ALL_COPIES, RING_BOX, ringPaths } from './ring.ts'

export default defineConfig({
  // Style sheet and fonts name each other relatively, so that the site works under any path.
  base: './',
  logLevel: 'warn',
  plugins: [svelte(), icon()],
  environments: {
    client: {
      build: {
        outDir: 'dist/client',
        manifest: true,
        // Fonts and icon stay files: a data: address would not pass `font-src 'self'`.
        assetsInlineLimit: 0,
        rolldownOptions: { input: 'styles/main.css' },
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
  const source = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${RING_BOX} ${RING_BOX}"><path fill="none" stroke="#17917d" stroke-width="4" d="${path?.d}"/></svg>\n`
  return {
    name: 'fourfold-icon',
    applyToEnvironment: (environment) => environment.name === 'client',
    buildStart() {
      this.emitFile({ type: 'asset', name: 'icon.svg', originalFileName: 'icon.svg', source })
    },
  }
}
