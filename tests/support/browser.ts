// A headless Chromium for tests, and visitors in it: each has cookies of its own and fails the test
// on anything that the browser complains about, or that a page is served without the strict policy.
import assert from 'node:assert/strict'
import { accessSync, constants } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import {
  type BrowserContext,
  type CDPSession,
  type Browser as Chromium,
  chromium,
  type Page,
  type Response,
} from 'playwright-core'
import { PASSWORD, USER } from './site.ts'

const PROGRAMS = ['/usr/bin/chromium', 'chromium-browser', 'google-chrome']
/** --headless is Playwright's to add; a fresh user-data-dir is its default. */
const ARGUMENTS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  '--disable-dev-shm-usage',
]
const LAUNCH_TIMEOUT_MS = 60_000
/** Two cores are shared by five processes of ours and the browser's own. */
const ACTION_TIMEOUT_MS = 20_000

/** The policy of the design, word for word. */
const POLICY = `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;
  media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self';
  form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script';
  trusted-types svelte-trusted-html`

/** Path of the browser; undefined where there is none. */
const program = findProgram()

/** For `describe` and `test`: why browser tests cannot run here, or false. */
export const skip = program === undefined ? 'no Chromium here; CHROMIUM may name one' : false

export interface Browser extends AsyncDisposable {
  visit(options: VisitOptions): Promise<Visitor>
}

export interface VisitOptions {
  /** Address of the gateway, without a slash at its end. */
  url: string
  /** Default true: without scripts, as the page promises to work. */
  isScriptless?: boolean
  /** Scripts may run, but the app's does not arrive: the page stays as the gateway sent it. */
  isAppless?: boolean
  /** For tools of the test that must run inside the page. Default false. */
  bypassesPolicy?: boolean
  colorScheme?: 'light' | 'dark'
  /** CSS pixels; default 1280. */
  width?: number
}

export interface Visitor extends AsyncDisposable {
  page: Page
  context: BrowserContext
  /** What went wrong in the browser so far; ending the visit with any fails the test. */
  complaints: string[]
  /** Opens `path` and answers with the response to it. */
  open(path: string): Promise<Response>
  signIn(user?: string, password?: string): Promise<void>
}

/** @param extra more arguments for Chromium */
export async function startBrowser(extra: readonly string[] = []): Promise<Browser> {
  assert.ok(program, 'a test that needs Chromium must be skipped without it')
  const browser = await chromium.launch({
    executablePath: program,
    // In another locale Chromium cannot name all files.
    env: { ...process.env, LANG: 'C.UTF-8' },
    args: [...ARGUMENTS, ...extra],
    timeout: LAUNCH_TIMEOUT_MS,
  })
  return {
    visit: (options) => visit(browser, options),
    [Symbol.asyncDispose]: () => browser.close(),
  }
}

async function visit(browser: Chromium, options: VisitOptions): Promise<Visitor> {
  const { url, isScriptless = true, bypassesPolicy = false, colorScheme = 'light' } = options
  const context = await browser.newContext({
    javaScriptEnabled: !isScriptless,
    bypassCSP: bypassesPolicy,
    colorScheme,
    viewport: { width: options.width ?? 1280, height: 900 },
    acceptDownloads: true,
    timezoneId: 'Asia/Tokyo',
    locale: 'en-GB',
  })
  context.setDefaultTimeout(ACTION_TIMEOUT_MS)
  if (options.isAppless) {
    const contentType = 'text/javascript'
    await context.route(/\/assets\/main-[^/]*\.js$/, (route) => route.fulfill({ contentType }))
  }
  const page = await context.newPage()
  const complaints: string[] = []
  watch(page, complaints)
  await watchIssues(await context.newCDPSession(page), complaints)
  const open = async (path: string) => {
    const response = await page.goto(url + path)
    assert.ok(response, `no response to ${path}`)
    return response
  }
  return {
    page,
    context,
    complaints,
    open,
    async signIn(user = USER, password = PASSWORD) {
      await open('/')
      await page.getByLabel('Name').fill(user)
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('button', { name: 'Sign out' }).waitFor()
    },
    async [Symbol.asyncDispose]() {
      await context.close()
      assert.deepEqual(complaints, [])
    },
  }
}

function watch(page: Page, complaints: string[]): void {
  const documents = new Set<string>()
  page.on('console', (message) => {
    // A page with status 401 or 503 is a page; a style sheet with such a status is not.
    const isStatus = /^Failed to load resource: the server responded with/.test(message.text())
    if (isStatus && documents.has(message.location().url)) return
    if (!/^(error|warning|assert)$/.test(message.type())) return
    complaints.push(`console ${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`page error: ${error.message}`))
  page.on('crash', () => complaints.push('the page crashed'))
  page.on('requestfailed', (request) => {
    // So end navigations that turn out to be downloads, and what a page left behind still asked
    // for.
    const why = request.failure()?.errorText
    if (why !== 'net::ERR_ABORTED') complaints.push(`${request.url()} failed: ${why}`)
  })
  page.on('response', (response) => {
    if (response.request().resourceType() !== 'document') {
      if (response.status() >= 400) complaints.push(`${response.url()}: ${response.status()}`)
      return
    }
    documents.add(response.url())
    const { 'content-security-policy': policy = '', ...headers } = response.headers()
    const isUserFile = headers['content-disposition'] !== undefined
    const isPage = headers['content-type']?.startsWith('text/html') && !isUserFile
    if (isPage && !isStrict(policy)) complaints.push(`${response.url()} has the policy ${policy}`)
    if (headers['x-content-type-options'] !== 'nosniff') {
      complaints.push(`${response.url()} may be sniffed`)
    }
  })
}

/** What Chromium's "Issues" panel would show: broken policies, cookies, forms. */
async function watchIssues(session: CDPSession, complaints: string[]): Promise<void> {
  session.on('Audits.issueAdded', ({ issue }) => {
    // What the test itself asks of a page is not always how a fast page would ask.
    if (issue.code === 'PerformanceIssue') return
    complaints.push(`issue ${issue.code}: ${JSON.stringify(issue.details)}`)
  })
  await session.send('Audits.enable')
}

/** Directives may come in any order. */
function isStrict(policy: string): boolean {
  return directives(policy) === directives(POLICY)
}

function directives(policy: string): string {
  const all = policy.split(';').map((text) => text.trim().replaceAll(/\s+/g, ' '))
  return all
    .filter((text) => text !== '')
    .sort()
    .join(';')
}

/** The bytes that a click on `name` gives, shown in the page or saved as a file. */
export async function clickedBytes({ page }: Visitor, name: string): Promise<Buffer> {
  const link = page.getByRole('link', { name, exact: true })
  const path = new URL((await link.getAttribute('href'))!, page.url()).href
  const download = page.waitForEvent('download').catch(() => undefined)
  const [response] = await Promise.all([
    page.waitForResponse((response) => response.url() === path),
    link.click(),
  ])
  if (!response.headers()['content-disposition']?.startsWith('attachment')) return response.body()
  const saved = await download
  assert.ok(saved, `${name} is not offered for saving`)
  return readFile(await saved.path())
}

function findProgram(): string | undefined {
  const wanted = process.env.CHROMIUM ? [process.env.CHROMIUM] : PROGRAMS
  const folders = (process.env.PATH ?? '').split(delimiter)
  const paths = wanted.flatMap((name) =>
    isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name)),
  )
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
