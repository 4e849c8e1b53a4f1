// What @fastify/swagger adds to the routes' own schemas to make /openapi.json.
import type { SwaggerOptions } from '@fastify/swagger'
import { Type } from '@fourfold/storage-node/protocol'
import { fileParamsSchema } from './schemas.ts'

const WILDCARD = /\/\*$/

/** Bodies that are read as streams have no schema that validates them; this tells of them. */
const streamed: Record<string, object> = {
  'PUT /files/*': {
    consumes: ['*/*'],
    body: Type.String({ format: 'binary', description: 'The bytes of the file.' }),
  },
  'POST /files': {
    body: Type.Object({
      file: Type.Array(Type.String({ format: 'binary' }), { description: 'Under any field name.' }),
      folder: Type.Optional(Type.String({ description: 'Before the files: where they go.' })),
    }),
  },
}

export function openApi(publicUrl: string): SwaggerOptions {
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
          basic: { type: 'http', scheme: 'basic' },
          session: { type: 'apiKey', in: 'cookie', name: 'fourfold' },
        },
      },
      security: [{ basic: [] }, { session: [] }],
    },
    transform({ schema, url, route }) {
      const [method = ''] = [route.method].flat()
      const added = streamed[`${method} ${url}`] ?? {}
      const isFile = WILDCARD.test(url) && schema?.hide !== true
      const params = isFile ? { params: fileParamsSchema } : {}
      return {
        schema: { ...schema, ...params, ...added },
        url: isFile ? url.replace(WILDCARD, '/:name') : url,
      }
    },
  }
}
