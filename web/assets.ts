// Finds the built script, style sheet and icon in Vite's manifest, so that pages can name
// files whose names carry a hash. Reads no disk: whoever serves the files hands in what it read.

/** What a page needs to name; paths from the root of the site. */
export interface AssetPaths {
  /** The app that takes the page over where scripts run. */
  script: string
  style: string
  icon: string
}

/** Keys of the manifest, which are source paths: by their ends, since packages may be hoisted. */
const SOURCES: Readonly<Record<keyof AssetPaths, string>> = {
  script: 'app/main.ts',
  style: 'styles/main.css',
  icon: 'icon.svg',
}

/**
 * Paths of the page's assets under `base` (no slash at its end).
 * @param manifestText the text of `dist/client/.vite/manifest.json`
 * @throws Error where the manifest is of another build; the sentence names what is missing
 */
export function assetPaths(manifestText: string, base: string): AssetPaths {
  const manifest = JSON.parse(manifestText) as Record<string, { file: string }>
  const find = (kind: keyof AssetPaths): string => {
    const entry = Object.entries(manifest).find(([source]) => source.endsWith(SOURCES[kind]))
    if (!entry) throw new Error(`The web build has no ${kind}: run npm run build.`)
    return `${base}/${entry[1].file}`
  }
  return { script: find('script'), style: find('style'), icon: find('icon') }
}
