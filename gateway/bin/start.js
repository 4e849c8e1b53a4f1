#!/usr/bin/env node
// `npm start`: four nodes, the gateway and the first account on this machine.
import { useCompileCache } from '../../conf/compile-cache.js'

process.umask(0o077)
useCompileCache()
const { startEverything } = await import('../start/everything.ts')
await startEverything()
