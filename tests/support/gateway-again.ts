// Ends the gateway of a site and starts it again at the same address with the same folder, as after
// a restart of its machine: sessions outlive it, open connections do not.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startProcess } from './process.ts'
import type { Site } from './site.ts'

const PROGRAM = fileURLToPath(new URL('../../gateway/bin/fourfold.js', import.meta.url))

export async function stopGateway({ cluster }: Site): Promise<void> {
  await cluster.gateways[0]!.kill('SIGKILL')
}

export async function startGatewayAgain({ cluster, url }: Site): Promise<void> {
  const { port } = new URL(url)
  const data = join(cluster.folder, 'gateway-0')
  const gateway = startProcess({
    args: [PROGRAM, 'gateway', '--conf', cluster.dfcConfFile, '--port', port, '--data', data],
  })
  cluster.gateways[0] = gateway
  await gateway.waitFor(/listens on (http\S+)/)
}
