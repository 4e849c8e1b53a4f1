#!/usr/bin/env node
// dfc: the terminal client, straight to the storage nodes. Only starts it; gateway/dfc does the
// work.
import { useCompileCache } from '../../conf/compile-cache.js'

useCompileCache()
const { main } = await import('../dfc/main.ts')
const { processTerminal } = await import('../dfc/terminal.ts')
// Everything is written when `main` is through; a terminal or pipe that is still open must not
// hold on.
process.exit(await main(process.argv.slice(2), processTerminal()))
