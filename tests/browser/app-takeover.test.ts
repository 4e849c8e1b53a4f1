// The app takes the place of the page that the gateway sent only when it has as much to show, and
// keeps what somebody typed meanwhile.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { expectNames, LIST, visitApp } from '../support/app-visit.ts'
import { type Browser, skip, startBrowser } from '../support/browser.ts'
import { PASSWORD, type Site, startSite, USER } from '../support/site.ts'

describe('the app takes over', { skip }, () => {
  let browser: Browser
  let site: Site

  before(async () => {
    site = await startSite()
    browser = await startBrowser()
    await site.put('first.bin', Buffer.from('first'))
  })

  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  test('the form to sign in with what was typed into it, and never shows that again', async () => {
    await using visitor = await browser.visit({ url: site.url, isScriptless: false })
    const { page } = visitor
    const { promise: typed, resolve: go } = Promise.withResolvers<void>()
    await page.route(/\/SignIn-[^/]*\.js$/, async (route) => {
      await typed
      await route.continue()
    })
    await visitor.open('/')
    await page.getByLabel('Name').fill(USER)
    await page.getByLabel('Password').pressSequentially(PASSWORD.slice(0, 3))
    assert.equal(await page.locator('html.app').count(), 0)
    go()
    await page.locator('html.app').waitFor()
    await page.keyboard.type(PASSWORD.slice(3))
    await page.keyboard.press('Enter')
    await expectNames(page, ['first.bin'])
    await page.getByRole('button', { name: /^Account/ }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByLabel('Password').waitFor()
    assert.equal(await page.getByLabel('Name').inputValue(), '')
    assert.equal(await page.getByLabel('Password').inputValue(), '')
  })

  test('the list when it has the files itself, or after three seconds without them', async () => {
    await using visitor = await visitApp(browser, site)
    const { page } = visitor
    let { promise: wanted, resolve: go } = Promise.withResolvers<void>()
    await page.route(/\/files\?limit=/, async (route) => {
      await wanted
      await route.continue()
    })
    const asked = page.waitForRequest(/\/files\?limit=/)
    await visitor.open('/')
    await asked
    assert.equal(await page.locator('html.app').count(), 0)
    await page.getByRole('link', { name: 'first.bin', exact: true }).waitFor()
    go()
    await page.locator('html.app').waitFor()
    await expectNames(page, ['first.bin'])

    ;({ promise: wanted, resolve: go } = Promise.withResolvers<void>())
    await visitor.open('/')
    await page.locator('html.app').waitFor()
    assert.equal(await page.locator(LIST).count(), 0, 'still loading')
    await page.getByText('Loading').first().waitFor()
    go()
    await expectNames(page, ['first.bin'])
  })
})
