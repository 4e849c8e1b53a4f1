#!/usr/bin/env node
// `npm start`: four nodes, the gateway and the first account on this machine.
import { startEverything } from '../start/everything.ts'

process.umask(0o077)
await startEverything()
