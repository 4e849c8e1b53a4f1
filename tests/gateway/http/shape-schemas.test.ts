// What a query or a body must be for a route, what is told of one that is not, and that a shape is
// a JSON Schema and nothing more to those who read it as one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DfsError, type Shape, Type } from '@fourfold/storage-node/protocol'
import { shapeValidator } from '../../../gateway/http/shape-schemas.ts'

const query = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10, default: 5 })),
  from: Type.Optional(Type.Integer({ minimum: 0 })),
  sort: Type.Optional(Type.Union([Type.Literal('name'), Type.Literal('size')])),
  search: Type.Optional(Type.String({ maxLength: 3 })),
})
const body = Type.Object({
  name: Type.String(),
  size: Type.Optional(Type.Integer()),
  names: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
})

function check(schema: Shape, httpPart: string, value: unknown) {
  const validate = shapeValidator({ schema, httpPart, method: 'GET', url: '/' })
  const { value: read, error } = validate(value) as { value?: unknown; error?: DfsError }
  return error === undefined ? read : error.message
}

test('whole numbers in a query are read, all else stays text, and nothing is filled in', () => {
  for (const [given, read] of [
    [{}, {}],
    [
      { limit: '7', search: '7' },
      { limit: 7, search: '7' },
    ],
    [
      { limit: '1e1', from: '' },
      { limit: 10, from: 0 },
    ],
    [{ limit: '2.9' }, { limit: 2 }],
    [
      { other: ['1', '2'], sort: 'size' },
      { other: ['1', '2'], sort: 'size' },
    ],
  ]) {
    assert.deepEqual(check(query, 'querystring', given), read)
  }
})

test('what is wrong with a query is told by name, in a sentence', () => {
  for (const [given, sentence] of [
    [{ limit: '11' }, 'In the query, limit must be a whole number from 1 to 10.'],
    [{ limit: 'x' }, 'In the query, limit must be a whole number from 1 to 10.'],
    [{ limit: ['1', '2'] }, 'In the query, limit must be a whole number from 1 to 10.'],
    [{ from: '-1' }, 'In the query, from must be a whole number of at least 0.'],
    [{ sort: 'x' }, 'In the query, sort must be "name" or "size".'],
    [{ search: 'long' }, 'In the query, search must be a text of at most 3 characters.'],
  ]) {
    assert.equal(check(query, 'querystring', given), sentence)
  }
})

test('a body is taken as it is, or refused', () => {
  const given = { name: 'a', names: ['b'], more: 1 }
  assert.equal(check(body, 'body', given), given)
  for (const [wrong, sentence] of [
    [null, 'The body must be an object.'],
    [{}, 'In the body, name must be there.'],
    [{ name: 'a', size: '1' }, 'In the body, size must be a whole number.'],
    [{ name: 'a', names: 1 }, 'In the body, names must be a text or an array.'],
    [{ name: 'a', names: ['b', 1] }, 'In the body, names/1 must be a text.'],
  ]) {
    assert.equal(check(body, 'body', wrong), sentence)
  }
})

test('a shape is a JSON Schema', () => {
  const shape = Type.Object(
    {
      state: Type.String({ enum: ['idle'], format: 'date-time' }),
      here: Type.Union([Type.Boolean(), Type.Null()], { description: 'null: unknown.' }),
      kind: Type.Optional(Type.Literal('a')),
    },
    { description: 'All of it.' },
  )
  assert.deepEqual(JSON.parse(JSON.stringify(shape)), {
    type: 'object',
    required: ['state', 'here'],
    properties: {
      state: { type: 'string', enum: ['idle'], format: 'date-time' },
      here: { anyOf: [{ type: 'boolean' }, { type: 'null' }], description: 'null: unknown.' },
      kind: { type: 'string', const: 'a' },
    },
    description: 'All of it.',
  })
  assert.deepEqual(Object.keys(shape), ['type', 'required', 'properties', 'description'])
})
