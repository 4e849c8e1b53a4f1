// Ports for processes that must know each other's before any of them listens.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below the ports that Linux gives to whoever asks for any: nobody else gets one meanwhile. */
const FROM = 20_000
const TO = 32_000

/** Four ports of this machine that are free now. */
export async function fourFreePorts(): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < 4) {
    const port = randomInt(FROM, TO)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

/** A port of this machine that is free now. */
export async function freePort(): Promise<number> {
  return (await fourFreePorts())[0]!
}

function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false))
    probe.listen({ host: '127.0.0.1', port }, () => probe.close(() => resolve(true)))
  })
}
