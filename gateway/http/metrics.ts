// Counters of the HTTP face in Prometheus' text format, for GET /metrics where the conf allows
// it. Labels are route patterns and statuses: nothing that names a user or a file.
import type { Store } from '../dfs/store.ts'
import type { App } from './app.ts'

const TEXT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export async function metricsRoute(app: App, { store }: { store: Store }): Promise<void> {
  const requests = new Map<string, number>()
  let sentBytes = 0
  let receivedBytes = 0

  // The root's hook, so that it sees the routes of every plugin.
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    const label = `method="${request.method}",route="${route}",status="${reply.raw.statusCode}"`
    requests.set(label, (requests.get(label) ?? 0) + 1)
    sentBytes += contentLength(reply.raw.getHeader('content-length'))
    receivedBytes += contentLength(request.headers['content-length'])
  })

  app.get(
    '/metrics',
    { schema: { summary: 'Counters in the text format of Prometheus.', security: [] } },
    async (_request, reply) => {
      const lines = [
        '# TYPE fourfold_http_requests_total counter',
        ...[...requests].map(([label, count]) => `fourfold_http_requests_total{${label}} ${count}`),
        '# TYPE fourfold_http_sent_bytes_total counter',
        `fourfold_http_sent_bytes_total ${sentBytes}`,
        '# TYPE fourfold_http_received_bytes_total counter',
        `fourfold_http_received_bytes_total ${receivedBytes}`,
        '# TYPE fourfold_node_up gauge',
        ...store
          .nodes()
          .map(({ name, health }) => `fourfold_node_up{node="${name}"} ${Number(health === 'up')}`),
        '# TYPE process_resident_memory_bytes gauge',
        `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
        '# TYPE process_cpu_seconds_total counter',
        `process_cpu_seconds_total ${cpuSeconds()}`,
      ]
      return reply.type(TEXT_TYPE).send(`${lines.join('\n')}\n`)
    },
  )
}

/** Announced lengths: a transfer that breaks off counts whole, one of unknown length not at all. */
function contentLength(value: number | string | string[] | undefined): number {
  const lengthBytes = Number(value ?? 0)
  return Number.isSafeInteger(lengthBytes) ? lengthBytes : 0
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
