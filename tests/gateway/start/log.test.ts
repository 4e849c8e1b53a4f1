// The gateway's log: one line that a person can read for each event, whatever is in it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createGatewayLog } from '../../../gateway/start/log.ts'
import { run } from '../../support/run.ts'

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`

function recorded(level: string) {
  const lines: string[] = []
  return { lines, log: createGatewayLog({ level, write: (line) => lines.push(line) }) }
}

test('an event is time, who, level, sentence and facts', () => {
  const { lines, log } = recorded('info')
  log.warn('request failed NODES_UNAVAILABLE DFS3')
  log.child({ reqId: 'req-1' }).error({ port: 8080 }, 'is taken')
  assert.match(
    lines.join(''),
    new RegExp(
      `^${TIME} gateway warn: request failed NODES_UNAVAILABLE DFS3\n` +
        `${TIME} gateway error: is taken port=8080\n$`,
    ),
  )
})

test('what is below the least level is not written', () => {
  const { lines, log } = recorded('warn')
  log.info('GET / 200 in 3 ms')
  log.debug('more')
  assert.deepEqual(lines, [])
})

test('nothing makes a second line: no stack, no sentence with a line break', () => {
  const { lines, log } = recorded('info')
  log.error({ err: new Error('first\nsecond') }, 'request failed INTERNAL')
  log.info('one\r\n  two')
  assert.equal(lines.length, 2)
  assert.match(lines[0]!, /request failed INTERNAL stack="Error: first\\nsecond\\n +at /)
  assert.match(lines[1]!, /info: one two\n$/)
  for (const line of lines) assert.match(line, /^[^\n]*\n$/)
})

test('requests and replies that the framework adds are left out', () => {
  const { lines, log } = recorded('info')
  log.info({ req: { url: '/files/secret' }, res: { headers: 'secret' } }, 'said')
  assert.match(lines[0]!, /info: said\n$/)
})

test('lines of one turn leave together, and none is lost when the process exits', async () => {
  const program = `
    import { createGatewayLog } from '${new URL('../../../gateway/start/log.ts', import.meta.url)}'
    const write = process.stderr.write.bind(process.stderr)
    process.stderr.write = (text) => write(\`\${text}<end of write>\\n\`)
    const log = createGatewayLog({ level: 'info' })
    log.info('one')
    log.info('two')
    setTimeout(() => {
      log.warn('three')
      process.exit(3)
    }, 50)
  `
  const { code, stderr } = await run(process.execPath, ['--input-type=module', '-e', program])
  assert.equal(code, 3)
  assert.deepEqual(stderr.replaceAll(/^\S+Z gateway /gm, '').split('\n'), [
    'info: one',
    'info: two',
    '<end of write>',
    'warn: three',
    '<end of write>',
    '',
  ])
})
