// The path of the public address, below which a reverse proxy serves the site: what all addresses
// that leave begin with. Addresses that come in have it where the proxy leaves it, and have it not
// where the proxy takes it away.

/** Without a slash at its end; empty at the root. `publicUrl` may be empty. */
export function basePath(publicUrl: string): string {
  return publicUrl === '' ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '')
}

/** First segments of our own addresses: they cannot be told from a base that begins so. */
const OWN = new Set(
  ['account', 'assets', 'delete', 'events', 'favicon.ico', 'files', 'healthz', 'metrics', 'nodes']
    .concat(['openapi.json', 'readyz', 'rename', 'session', 'sign-out', 'uploads', 'zip'])
    .map((segment) => `/${segment}`),
)

/**
 * Gives the function that takes the base from a request's target, where it is there. Below a base
 * whose first segment is one of ours the proxy must take it away itself.
 */
export function baseRemover(base: string): (target: string) => string {
  const first = /^\/[^/]*/.exec(base)?.[0]
  if (first === undefined || OWN.has(first)) return (target) => target
  return (target) => {
    if (!target.startsWith(base)) return target
    const rest = target.slice(base.length)
    if (rest === '' || rest.startsWith('?')) return `/${rest}`
    return rest.startsWith('/') ? rest : target
  }
}
