// Makes the whole HTML document of a page: the only thing that the gateway takes from the web
// build. Assumes nothing of HTTP; holds no state, reads no disk, and needs no script in the
// browser.
// Where scripts run, the app (app/main.ts) takes over the listing and the sign-in; what it needs
// to know stands in attributes of `<html>`. The other pages stay as they are.
//
// `npm run build --workspace web` writes
//   dist/server/render.js   this file with everything it needs inside (Svelte too)
//   dist/client/assets/     scripts, styles, icon, fonts; names carry a hash: serve as immutable
//   dist/client/.vite/manifest.json
// The gateway reads the manifest once, calls `assetPaths(manifestText, base)`, serves
// dist/client/assets at {base}/assets/, and hands both to `renderPage`. paths.ts lists every
// address that a page links to; those that a form's answer leads to are exported here.
import { render } from 'svelte/server'
import PageBody from './components/Page.svelte'
import { visibleName } from './format.ts'
import { messageTitle } from './messages.ts'
import type { Page } from './page.ts'

export { type AssetPaths, assetPaths } from './assets.ts'
export { folderOf, listingPath } from './paths.ts'

/**
 * Svelte's marks for a script that would take the page over. None does, so they would be dead
 * weight; what users wrote is escaped and holds no `<`, so nothing else can match.
 */
const HYDRATION_MARKS = /<!--[^>]*-->/g

/**
 * The document, from doctype to `</html>`; valid under `default-src 'none'` with `style-src
 * 'self'`.
 */
export function renderPage(page: Page): string {
  const body = render(PageBody, { props: { page } }).body.replace(HYDRATION_MARKS, '')
  const { style, icon } = page.assets
  const { facts, script } = isTakenOver(page) ? appMarks(page) : { facts: '', script: '' }
  const theme = page.theme === undefined ? '' : ` data-theme="${page.theme}"`
  return `<!doctype html>
<html lang="en"${theme}${facts}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(pageTitle(page))} – Fourfold</title>
<link rel="icon" type="image/svg+xml" href="${escapeText(icon)}">
<link rel="stylesheet" href="${escapeText(style)}">
${script}</head>
<body>${body}</body>
</html>
`
}

/** Pages that ask or tell one thing need no app. */
function isTakenOver({ kind }: Page): boolean {
  return kind === 'files' || kind === 'sign-in'
}

/** What tells the app where it is and who is signed in, and the tag that loads it. */
function appMarks({ base, user, assets }: Page): { facts: string; script: string } {
  const who = user === undefined ? '' : ` data-user="${escapeText(user)}"`
  return {
    facts: ` data-base="${escapeText(base)}"${who}`,
    script: `<script type="module" src="${escapeText(assets.script)}"></script>\n`,
  }
}

function pageTitle(page: Page): string {
  switch (page.kind) {
    case 'sign-in':
      return 'Sign in'
    case 'files':
      if (page.search !== '') return `Search: ${visibleName(page.search)}`
      return page.folder === '' ? 'All files' : visibleName(page.folder.slice(0, -1))
    case 'delete':
      return `Delete ${visibleName(page.file.name)}?`
    case 'rename':
      return `Rename ${visibleName(page.name)}`
    case 'account':
      return 'Change password'
    case 'message':
      return messageTitle(page)
  }
}

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
