#!/usr/bin/env node
// `fourfold gateway`: the HTTP gateway as a process of its own.
import { runGateway } from '../start/gateway-process.ts'

process.umask(0o077)
await runGateway(process.argv.slice(2))
