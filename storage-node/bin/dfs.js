#!/usr/bin/env node
// `dfs DIR PORT`: one storage node as a process. Only starts it; dfs-process.ts does the work.
import { useCompileCache } from '../../conf/compile-cache.js'

useCompileCache()
const { runNode } = await import('../dfs-process.ts')
await runNode(process.argv.slice(2))
