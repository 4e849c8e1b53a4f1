// A visitor who uses the app: scripts run, under the page's own policy. Signs in as a person does,
// and tells what the list shows.
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import type { Browser, VisitOptions, Visitor } from './browser.ts'
import { PASSWORD, type Site, USER } from './site.ts'

const SETTLE_TIMEOUT_MS = 20_000
const POLL_MS = 50

/** Waits until the list, or what stands in its place, is there. */
export const LIST = '.rows .row, .rows .none[aria-busy=false], .empty, .nodes li'

export async function visitApp(
  browser: Browser,
  site: Pick<Site, 'url'>,
  options: Partial<VisitOptions> & { path?: string } = {},
): Promise<Visitor> {
  const { path = '/', ...rest } = options
  const visitor = await browser.visit({ url: site.url, isScriptless: false, ...rest })
  await visitor.open(path)
  await signInToApp(visitor.page)
  return visitor
}

export async function signInToApp(page: Page): Promise<void> {
  await page.locator('html.app').waitFor()
  await page.getByLabel('Name').fill(USER)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await page.locator(LIST).first().waitFor()
  await page.locator('.big-ring .node').first().waitFor()
}

/** Names in the order in which the list shows them. */
export function shownNames(page: Page): Promise<string[]> {
  return page.locator('.rows .name').allInnerTexts()
}

/** Waits until the list shows exactly these names, in this order. */
export async function expectNames(page: Page, names: readonly string[]): Promise<void> {
  const wanted = names.join('\n')
  const isRight = await settled(async () => (await shownNames(page)).join('\n') === wanted)
  if (!isRight) assert.deepEqual(await shownNames(page), names)
}

/** Asks again and again until it is so, at most 20 s. The page's policy lets no script wait. */
export async function settled(isSo: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = Date.now() + SETTLE_TIMEOUT_MS
  while (Date.now() < deadlineMs) {
    if (await isSo()) return true
    await setTimeout(POLL_MS)
  }
  return false
}

export function row(page: Page, name: string) {
  return page
    .getByRole('row')
    .filter({ has: page.locator('.name').getByText(name, { exact: true }) })
}

/** What the browser had to complain about, and was meant to; anything else fails. */
export function forgive(visitor: Visitor, expected: RegExp): void {
  for (const complaint of visitor.complaints) assert.match(complaint, expected)
  visitor.complaints.length = 0
}
