// What the environment says to `npm start`, checked before anything is started. Reads no file.
import { resolve } from 'node:path'
import { DfsError, foldUsername, NODE_COUNT } from '@fourfold/storage-node/protocol'
import { checkPassword } from '../dfs/accounts.ts'

export interface Settings {
  host: string
  /** Of the gateway; 0: the system chooses. */
  port: number
  /** Of DFS1; the others follow. 0: the system chooses all four. */
  nodePort: number
  data: string
  user: string
  /** Absent: a random one is made for the first account. */
  password?: string
}

/** @throws DfsError CONF_INVALID naming the variable, USERNAME_INVALID */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const text = (name: string, usual: string) => environment[name] || usual
  const password = environment.FOURFOLD_PASSWORD
  return {
    host: text('FOURFOLD_HOST', '127.0.0.1'),
    port: portOf('PORT', text('PORT', '8080'), 65_535),
    nodePort: portOf(
      'FOURFOLD_NODE_PORT',
      text('FOURFOLD_NODE_PORT', '10001'),
      65_536 - NODE_COUNT,
    ),
    data: resolve(text('FOURFOLD_DATA', 'data')),
    user: foldUsername(text('FOURFOLD_USER', 'alice')),
    ...(password ? { password: passwordOf('FOURFOLD_PASSWORD', password) } : {}),
  }
}

function passwordOf(name: string, text: string): string {
  try {
    checkPassword(text)
    return text
  } catch (cause) {
    throw new DfsError('CONF_INVALID', `${name}: ${(cause as Error).message}`, { cause })
  }
}

function portOf(name: string, text: string, maximum: number): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= maximum) return port
  throw new DfsError('CONF_INVALID', `${name} must be a port from 0 to ${maximum}.`)
}
