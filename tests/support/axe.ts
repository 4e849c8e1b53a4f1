// What axe-core finds on a page as it is now: WCAG 2.2 AA and best practice.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const STANDARDS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
/** Of an element that is at fault, what is said of it. */
const MAX_HTML = 300

/** In the page; what passed is only counted, for to bring all of it here takes a second. */
const RUN = `axe.run({ runOnly: ${JSON.stringify(STANDARDS)}, resultTypes: ['violations'] }).then(
  ({ violations, passes }) => ({
    passCount: passes.length,
    faults: violations.map(({ id, help, nodes }) =>
      id + ': ' + help + ': ' + nodes.map(({ html }) => html.slice(0, ${MAX_HTML})).join(' ')),
  }))`

let script: string | undefined

/** Each fault as a sentence; the page's policy must let tools in. */
export async function faultsIn(page: Page): Promise<string[]> {
  script ??= readFileSync(AXE, 'utf8')
  if (!(await page.evaluate<boolean>('"axe" in window'))) await page.evaluate(script)
  const { passCount, faults } = await page.evaluate<{ passCount: number; faults: string[] }>(RUN)
  assert.ok(passCount > 10, 'axe-core looks at the page')
  return faults
}
