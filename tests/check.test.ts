// Types, lint and format as tests, so that `npm test` covers what `npm run check` covers: each tool
// runs as a child process over the whole repository, and what it says is the failure's message.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')
const PROGRAMS = join(ROOT, 'node_modules', '.bin')
/** A cold svelte-check on a busy machine takes half a minute. */
const LIMIT_MS = 180_000

test('the types agree with each other', () => passes('tsc', ['--noEmit', '--pretty', 'false']))

test('lint and format have nothing to say', () =>
  passes('biome', ['check', '--colors=off', '--error-on-warnings', '--max-diagnostics=50']))

test('the components of the page agree with their types', () =>
  passes('svelte-check', [
    ...['--workspace', 'web', '--tsconfig', 'tsconfig.json'],
    ...['--output', 'machine', '--fail-on-warnings'],
  ]))

/** Runs a program of node_modules/.bin in the root and asserts exit code 0. */
async function passes(program: string, args: string[]): Promise<void> {
  const { PATH = '', FORCE_COLOR: _, ...others } = process.env
  const env = { ...others, NO_COLOR: '1', PATH: `${PROGRAMS}${delimiter}${PATH}` }
  const options = { cwd: ROOT, env, timeout: LIMIT_MS, maxBuffer: 16 * 1024 * 1024 }
  const { exit, output } = await new Promise<{ exit: unknown; output: string }>((resolve) => {
    execFile(join(PROGRAMS, program), args, options, (error, stdout, stderr) => {
      const exit = error === null ? 0 : (error.code ?? error.signal)
      resolve({ exit, output: `${stdout}${stderr}` })
    })
  })
  assert.equal(exit, 0, `${program} ${args.join(' ')} ended with ${exit}:\n${output}`)
}
