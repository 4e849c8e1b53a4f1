#!/usr/bin/env node
// dfc: the terminal client, straight to the storage nodes. Only starts it; gateway/dfc does the
// work.
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// A third of a short command's time is the compiler's. Where the folder cannot be written,
// nothing is lost.
const { XDG_CACHE_HOME, HOME } = process.env
const cache = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'))
if (cache) enableCompileCache(join(cache, 'fourfold'))

const { main } = await import('../dfc/main.ts')
const { processTerminal } = await import('../dfc/terminal.ts')
// Everything is written when `main` is through; a terminal or pipe that is still open must not
// hold on.
process.exit(await main(process.argv.slice(2), processTerminal()))
