#!/usr/bin/env node
// `fourfold gateway`: the HTTP gateway as a process of its own.
import { useCompileCache } from '../../conf/compile-cache.js'

process.umask(0o077)
useCompileCache()
const { runGateway } = await import('../start/gateway-process.ts')
await runGateway(process.argv.slice(2))
