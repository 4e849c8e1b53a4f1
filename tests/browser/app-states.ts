// The states of the app and how a person comes to each; what it must say there. Two of them cannot
// be had from healthy nodes in a test's time: there the browser is handed the gateway's own shapes.
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import type { Visitor } from '../support/browser.ts'

interface Scene {
  visitor: Visitor
  /** With files to upload. */
  folder: string
}

export interface AppState {
  name: string
  path?: string
  /** Leads there from the list. */
  go?: (scene: Scene) => Promise<unknown>
  /** Sentences that must be seen. */
  says?: (string | RegExp)[]
  /** What the browser may complain about on the way. */
  noise?: RegExp
}

type When = 'up' | 'one-down' | 'opposite-down' | 'neighbours-down'

const SLOW_BYTES_PER_SECOND = 1_000_000

const press =
  (...keys: string[]) =>
  async ({ visitor: { page } }: Scene) => {
    for (const key of keys) await page.keyboard.press(key)
  }

/** From a row's menu. */
const fromMenu =
  (name: string, label: string) =>
  async ({ visitor: { page } }: Scene) => {
    await page.getByRole('button', { name: `More for ${name}` }).click()
    await page.getByRole('menuitem', { name: label }).click()
    await page.getByRole('dialog').waitFor()
  }

const choose = (page: Page, path: string) => page.locator('#choose-files').setInputFiles(path)

async function upload({ visitor: { page, context }, folder }: Scene): Promise<void> {
  const session = await context.newCDPSession(page)
  await session.send('Network.emulateNetworkConditions', {
    ...{ offline: false, latency: 0, downloadThroughput: -1 },
    uploadThroughput: SLOW_BYTES_PER_SECOND,
  })
  await choose(page, join(folder, 'photos-2019.tar'))
  await page
    .getByText(/^[1-9][\d.]* MB of 8\.4 MB$/)
    .first()
    .waitFor()
}

const up: AppState[] = [
  { name: 'list', says: ['2 copies', 'nodes up'] },
  {
    name: 'picked',
    go: press('Home', 'ArrowDown', 'ArrowDown'),
    says: ['Each arc is a part, kept'],
  },
  { name: 'selected', go: press('Home', 'Space', 'ArrowDown', 'Space'), says: ['2 selected'] },
  {
    name: 'narrow',
    go: ({ visitor: { page } }) => page.setViewportSize({ width: 780, height: 868 }),
    says: ['thesis-draft-07.pdf'],
  },
  { name: 'search', path: '/?q=lec', says: ['2 of 12 files'] },
  { name: 'search-none', path: '/?q=nowhere', says: ['No file here has that in its name.'] },
  { name: 'folder', path: '/?folder=lectures%2F2026%2F', says: ['week 1'] },
  {
    name: 'empty',
    path: '/?folder=nothing%2F',
    says: ['A file dropped here is encrypted, cut into four parts'],
  },
  {
    name: 'menu',
    go: ({ visitor: { page } }) => page.getByRole('button', { name: 'More for dfs.conf' }).click(),
    says: ['Rename or move…'],
  },
  {
    name: 'account-menu',
    go: ({ visitor: { page } }) => page.getByRole('button', { name: 'Account of alice' }).click(),
    says: ['Change password…'],
  },
  { name: 'shortcuts', go: press('?'), says: ['Paste files or text'] },
  { name: 'details', go: fromMenu('dfs.conf', 'Details'), says: ['how far the parts are turned'] },
  { name: 'preview-markdown', go: fromMenu('notes.md', 'Open'), says: ['one'] },
  {
    name: 'preview-broken',
    go: fromMenu('torn.png', 'Open'),
    says: ['This browser cannot show it. Downloading works all the same.'],
  },
  { name: 'preview-none', go: fromMenu('empty', 'Open'), says: ['has no preview'] },
  { name: 'rename', go: fromMenu('dfs.conf', 'Rename'), says: ['A slash makes folders'] },
  { name: 'move', go: press('Home', 'Space', 'ArrowDown', 'Space', 'F2'), says: ['To folder'] },
  {
    name: 'password',
    async go({ visitor: { page } }) {
      await page.getByRole('button', { name: 'Account of alice' }).click()
      await page.getByRole('menuitem', { name: 'Change password' }).click()
    },
    says: ['New password again'],
  },
  { name: 'undo', go: press('Home', 'Delete'), says: ['deleted.', 'Undo'] },
  { name: 'cluster', path: '/#cluster', says: ['Answers in'] },
  {
    name: 'drop',
    go: ({ visitor: { page } }) =>
      page.evaluate(`(() => {
        const data = new DataTransfer()
        data.items.add(new File(['x'], 'x'))
        const event = new DragEvent('dragenter', { dataTransfer: data, bubbles: true })
        document.body.dispatchEvent(event)
      })()`),
    says: ['Drop to upload to'],
  },
  {
    name: 'conflict',
    go: ({ visitor: { page }, folder }) => choose(page, join(folder, 'dfs.conf')),
    says: ['dfs.conf is already here.', 'Keep both'],
  },
  {
    name: 'uploaded',
    go: ({ visitor: { page }, folder }) => choose(page, join(folder, 'small.txt')),
    says: ['1 file uploaded', '5 B, on all four nodes'],
  },
  { name: 'uploading', go: upload, says: ['Uploading 1 of 1'] },
  {
    name: 'uploads-paused',
    async go(scene) {
      await upload(scene)
      await scene.visitor.page.getByRole('button', { name: 'Pause all' }).click()
    },
    says: ['Uploads paused', /^Paused at \d+%$/],
  },
  {
    name: 'upload-stopped',
    async go(scene) {
      await upload(scene)
      await scene.visitor.page.reload()
    },
    says: [/^Stopped at \d+%\. Choose the same file to go on from there\.$/],
  },
  {
    name: 'no-room',
    go: ({ visitor: { page }, folder }) => choose(page, join(folder, 'archive.tar')),
    says: [/^Not enough room: needs 8\.8 TB, [\d.]+ [GT]B left\.$/],
  },
  {
    name: 'repairing',
    async go({ visitor: { page } }) {
      const repair = { state: 'running', done: 412, total: 1248, unrepairable: 0 }
      const nodes = [1, 2, 3, 4].map((number) => ({
        ...{ name: `DFS${number}`, address: `10.0.0.${number}:10001`, health: 'up', latencyMs: 1 },
        since: new Date(0).toISOString(),
        ...(number === 3 ? { repair } : {}),
      }))
      await handOver(page, /\/nodes$/, { nodes })
      await page.route(/\/events$/, (route) =>
        route.fulfill({
          contentType: 'text/event-stream',
          body: `event: cluster\ndata: ${JSON.stringify({ nodes })}\n\n`,
        }),
      )
      await handOverListing(page, 0b1110_0111)
      await page.reload()
    },
    says: ['Repairing, 412 of 1,248'],
  },
  {
    name: 'part-missing',
    async go({ visitor: { page } }) {
      await handOverListing(page, 0b1111_0011)
      await page.reload()
    },
    says: ['Part 2 missing', 'Unreadable'],
  },
]

const oneDown: AppState[] = [
  {
    name: 'one-down',
    says: [
      'DFS3 is not answering.',
      'Every file can still be opened and downloaded. New uploads wait, and start by themselves',
      '1 copy left',
    ],
  },
  { name: 'one-down-details', go: fromMenu('dfs.conf', 'Details'), says: ['Node down'] },
  { name: 'one-down-cluster', path: '/#cluster', says: ['Down since'] },
  {
    name: 'uploads-waiting',
    go: ({ visitor: { page }, folder }) => choose(page, join(folder, 'photos-2019.tar')),
    says: ['Uploads waiting', /kept\. Resumes with DFS3\.$/, 'In line'],
  },
]

const STATES: Record<When, AppState[]> = {
  up,
  'one-down': oneDown,
  'opposite-down': [
    {
      name: 'opposite-down',
      says: [
        'DFS1 and DFS3 are not answering.',
        'Every file can still be read, from its last copy. Uploads wait.',
      ],
    },
  ],
  'neighbours-down': [
    {
      name: 'neighbours-down',
      says: [
        'DFS3 and DFS4 are not answering.',
        'One part of every file is out of reach. Nothing is lost: files open again as soon as',
        'Needs DFS3 or DFS4',
      ],
    },
  ],
}

export function statesOf(when: When): AppState[] {
  return STATES[when]
}

async function handOver(page: Page, address: RegExp, body: object): Promise<void> {
  await page.route(address, (route) => route.fulfill({ json: body }))
}

/** A listing of one file of which these copies are there. */
async function handOverListing(page: Page, copies: number): Promise<void> {
  const file = {
    ...{ name: 'photos-2019.tar', size: 8_388_608, modified: '2026-11-20T10:00:00Z', type: '' },
    ...{ md5: '00000000000000000000000000000001', copies, state: 'degraded' },
  }
  const total = { files: 1, size: file.size }
  await handOver(page, /\/files\?/, { files: [file], folders: [], total, change: 'c', gone: [] })
}
