// What @fastify/swagger adds to the routes' own schemas to make /openapi.json.
export function openApi(publicUrl: string) {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Fourfold',
        description: 'A distributed file store for four boxes.',
        version: '0.1.0',
      },
      ...(publicUrl === '' ? {} : { servers: [{ url: publicUrl }] }),
      components: {
        securitySchemes: {
          basic: { type: 'http' as const, scheme: 'basic' },
          session: { type: 'apiKey' as const, in: 'cookie' as const, name: 'fourfold' },
        },
      },
      security: [{ basic: [] }, { session: [] }],
    },
  }
}
