// Shapes as the schemas of routes: what Fastify needs to check requests by them and to give
// handlers the types. Answers and /openapi.json need nothing: a shape is a JSON Schema.
import { DfsError, faultOf, type Shape, type Static } from '@fourfold/storage-node/protocol'
import type { FastifySchemaCompiler, FastifyTypeProvider } from 'fastify'

/** The static types of shapes for what handlers take and send. */
export interface ShapeTypeProvider extends FastifyTypeProvider {
  validator: this['schema'] extends Shape ? Static<this['schema']> : unknown
  serializer: this['schema'] extends Shape ? Static<this['schema']> : unknown
}

/** Refuses what is not of a route's shape, with BAD_REQUEST that names the first thing wrong. */
export const shapeValidator: FastifySchemaCompiler<Shape> = ({ schema, httpPart }) => {
  const isBody = httpPart === 'body'
  const place = isBody ? 'body' : 'query'
  return (received) => {
    const value = isBody ? received : withNumbers(schema, received)
    const fault = faultOf(schema, value)
    if (fault === undefined) return { value }
    const path = fault.path.join('/')
    const subject = path === '' ? `The ${place}` : `In the ${place}, ${path}`
    return { error: new DfsError('BAD_REQUEST', `${subject} ${fault.message}.`) }
  }
}

/**
 * A query, which is all text, with its whole numbers as such. What is no number stays as it is, to
 * be refused.
 */
function withNumbers({ properties = {} }: Shape, query: Record<string, unknown>) {
  const read = { ...query }
  for (const [name, text] of Object.entries(query)) {
    const isNumber = Object.hasOwn(properties, name) && properties[name]?.type === 'integer'
    if (!isNumber || typeof text !== 'string') continue
    const number = Math.trunc(Number(text))
    if (Number.isFinite(number)) read[name] = number
  }
  return read
}
