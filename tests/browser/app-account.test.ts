// A new password in the app: who has it stays, who has the old one is signed out everywhere else.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { expectNames, forgive, visitApp } from '../support/app-visit.ts'
import { type Browser, skip, startBrowser } from '../support/browser.ts'
import { PASSWORD, type Site, startSite, USER } from '../support/site.ts'

const NEXT = 'Tr0ub4dor & drei'

describe('the account in the app', { skip }, () => {
  let browser: Browser
  let site: Site

  before(async () => {
    site = await startSite()
    browser = await startBrowser()
    await site.put('kept.txt', Buffer.from('from before'), { type: 'text/plain' })
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  async function change(page: Page, current: string, next: string, again: string): Promise<void> {
    await page.getByLabel('Current password').fill(current)
    await page.getByLabel('New password', { exact: true }).fill(next)
    await page.getByLabel('New password again').fill(again)
    await page.keyboard.press('Enter')
  }

  async function signIn(page: Page, password: string): Promise<void> {
    await page.getByLabel('Name').fill(USER)
    await page.getByLabel('Password').fill(password)
    await page.keyboard.press('Enter')
  }

  test('who signs out asks nothing more, even if files change before the answer is here', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const { promise: wanted, resolve: answer } = Promise.withResolvers<void>()
    await page.route(/\/session$/, async (route) => {
      const response = await route.fetch()
      end()
      await wanted
      await route.fulfill({ response })
    })
    await page.getByRole('button', { name: `Account of ${USER}` }).click()
    await site.put('late.txt', Buffer.from('meanwhile'))
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await ended
    // What the app gathers changes for, several times.
    await page.waitForTimeout(1000)
    answer()
    await page.getByLabel('Password').waitFor()
    await page.unroute(/\/session$/)
    await signIn(page, PASSWORD)
    await expectNames(page, ['kept.txt', 'late.txt'])
    await site.store.remove(site.identity, { name: 'late.txt' })
    await expectNames(page, ['kept.txt'])
  })

  test('a new password signs out every other session, opens the files, and the old one none', async () => {
    await using mine = await visitApp(browser, site)
    await using other = await visitApp(browser, site)
    const { page } = mine
    await page.getByRole('button', { name: `Account of ${USER}` }).click()
    await page.getByRole('menuitem', { name: 'Change password' }).click()
    const dialog = page.getByRole('dialog')
    await change(page, PASSWORD, NEXT, `${NEXT}!`)
    await dialog.getByText('The two new passwords differ.').waitFor()
    await change(page, 'wrong', NEXT, NEXT)
    await dialog
      .getByRole('alert')
      .getByText(/password/)
      .waitFor()
    await change(page, PASSWORD, NEXT, NEXT)
    await page
      .getByText('Your password is changed. Other sessions are signed out.')
      .first()
      .waitFor()
    await dialog.waitFor({ state: 'detached' })

    await page.reload()
    await expectNames(page, ['kept.txt'])
    await page.getByRole('link', { name: 'kept.txt', exact: true }).click()
    await dialog.getByText('from before').waitFor()

    await other.page.reload()
    await other.page.locator('html.app').waitFor()
    await signIn(other.page, PASSWORD)
    await other.page.getByText("That name and password don't match.").waitFor()
    await signIn(other.page, NEXT)
    await expectNames(other.page, ['kept.txt'])
    const authorization = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`
    const { status } = await fetch(`${site.url}/files`, { headers: { authorization } })
    assert.equal(status, 401)
    forgive(mine, /40[13]/)
    forgive(other, /401/)
  })
})
