// The shapes of what HTTP takes and gives, once: they validate, they write JSON, and they become
// /openapi.json. Knows nothing of how anything is done.
import { type Static, Type } from '@fourfold/storage-node/protocol'
import type {
  FileDescription,
  FileInfo,
  FolderInfo,
  Listing,
  ListingChanges,
} from '../dfs/store.ts'

const nodeNames = Type.Array(Type.String(), { description: 'Names of nodes, e.g. DFS3.' })
const partNumbers = Type.Array(Type.Integer({ minimum: 1, maximum: 4 }))

/** A file as JSON. `size` is bytes, `modified` ISO 8601. */
export const fileSchema = Type.Object({
  name: Type.String(),
  size: Type.Integer({ description: 'Bytes.' }),
  modified: Type.String({ format: 'date-time' }),
  type: Type.String({ description: 'Media type as uploaded.' }),
  md5: Type.String({ description: 'MD5 of the content in hex; in quotes it is the ETag.' }),
  copies: Type.Integer({
    minimum: 0,
    maximum: 255,
    description:
      'Bit 2q: the copy of quarter q on node q; bit 2q+1: on node q+1. 255: all are here.',
  }),
  state: Type.String({ enum: ['complete', 'degraded', 'insufficient'] }),
  missingParts: Type.Optional(partNumbers),
  missingNodes: Type.Optional(nodeNames),
})

const folderSchema = Type.Object({
  prefix: Type.String(),
  files: Type.Integer({ description: 'All files below it.' }),
  size: Type.Integer({ description: 'Bytes of these.' }),
})

export const listingSchema = Type.Object({
  files: Type.Array(fileSchema),
  folders: Type.Array(folderSchema, { description: 'Before all files.' }),
  next: Type.Optional(Type.String({ description: '`cursor` of the next page.' })),
  from: Type.Integer({ description: 'Rows before this page.' }),
  rows: Type.Integer({ description: 'Rows of all pages: folders, and files outside of them.' }),
  total: Type.Object(
    { files: Type.Integer(), size: Type.Integer() },
    { description: 'All files that match prefix and search, those in folders too.' },
  ),
  change: Type.String({
    description:
      'Names the state of all files of the user; also the ETag. The same at every gateway.',
  }),
  missingNodes: nodeNames,
  gone: Type.Optional(
    Type.Array(Type.String(), { description: 'With `since`: names of files that are no more.' }),
  ),
  reset: Type.Optional(
    Type.Boolean({ description: 'With `since`: it cannot be told what changed; list again.' }),
  ),
})

export const listQuerySchema = Type.Object({
  prefix: Type.Optional(Type.String({ description: 'Only names that begin with this.' })),
  delimiter: Type.Optional(
    Type.String({ minLength: 1, maxLength: 8, description: 'Rolls names up; / makes folders.' }),
  ),
  search: Type.Optional(Type.String({ description: 'Only names that contain this, in any case.' })),
  sort: Type.Optional(
    Type.Union([Type.Literal('name'), Type.Literal('size'), Type.Literal('modified')]),
  ),
  order: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 })),
  cursor: Type.Optional(
    Type.String({ maxLength: 16_384, description: '`next` of the page before.' }),
  ),
  from: Type.Optional(
    Type.Integer({ minimum: 0, description: 'In place of a cursor: how many rows to pass over.' }),
  ),
  since: Type.Optional(
    Type.String({
      maxLength: 256,
      description:
        '`change` of a listing: answers only `files` that changed, `gone`, `change` and `reset`.',
    }),
  ),
})
export type ListQuerystring = Static<typeof listQuerySchema>

/** For /openapi.json alone: routes take the name from the raw address, undecoded. */
export const fileParamsSchema = Type.Object({
  name: Type.String({ description: 'Name of the file, percent-encoded; / makes folders.' }),
})

export const fileQuerySchema = Type.Object({
  download: Type.Optional(Type.String({ description: 'Present: as an attachment.' })),
  describe: Type.Optional(Type.String({ description: 'Present: JSON, where every copy is.' })),
})

export const descriptionSchema = Type.Object({
  ...fileSchema.properties,
  x: Type.Integer({ minimum: 0, maximum: 3, description: 'MD5 mod 4: the rotation of the parts.' }),
  first: Type.Integer({ minimum: 0, maximum: 3 }),
  rows: Type.Integer(),
  rowBytes: Type.Integer(),
  parts: Type.Array(
    Type.Object({
      part: Type.Integer({ minimum: 1, maximum: 4 }),
      size: Type.Integer({ description: 'Bytes of one copy, sealed.' }),
      nodes: Type.Array(
        Type.Object({
          node: Type.String(),
          here: Type.Union([Type.Boolean(), Type.Null()], {
            description: 'null: the node is down.',
          }),
        }),
      ),
    }),
  ),
})

/** What `PATCH /files/{name}` takes. */
export const moveSchema = Type.Object({
  name: Type.String({ description: 'The whole new name; of a folder with a slash at its end.' }),
  replace: Type.Optional(
    Type.Boolean({ description: 'Take the place of what has that name; else 412 NAME_EXISTS.' }),
  ),
})

/** The file under its new name, or how many files of a folder have new names. */
export const movedSchema = Type.Union([
  fileSchema,
  Type.Object({ name: Type.String(), moved: Type.Integer() }),
])

const oneOrMore = (description: string) =>
  Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())], { description }))

/** What `POST /zip` takes, as JSON or as repeated fields of a form. */
export const zipSchema = Type.Object({
  names: oneOrMore('Names of files.'),
  prefix: oneOrMore('Folders, with all that is in them.'),
  paths: oneOrMore('The same percent-encoded, as in addresses; a folder ends in /.'),
})

export const uploadedSchema = Type.Object({ files: Type.Array(fileSchema) })

export const credentialsSchema = Type.Object({
  user: Type.String({ maxLength: 1024 }),
  password: Type.String({ maxLength: 4096 }),
  next: Type.Optional(Type.String({ maxLength: 8192, description: 'Forms: where to go then.' })),
})

/** What `POST /account/password` takes. */
export const passwordSchema = Type.Object({
  current: Type.String({ maxLength: 4096 }),
  next: Type.String({ maxLength: 4096, description: '8 to 1024 bytes.' }),
  again: Type.Optional(Type.String({ maxLength: 4096, description: 'Forms: `next` once more.' })),
})

/** RFC 9457, and our members. */
export const problemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String(),
    hint: Type.String(),
    nodes: Type.Optional(nodeNames),
    parts: Type.Optional(partNumbers),
    files: Type.Optional(Type.Array(fileSchema)),
    names: Type.Optional(Type.Array(Type.String(), { description: 'Names that are the cause.' })),
    moved: Type.Optional(Type.Integer({ description: 'Files of a folder that are moved.' })),
    left: Type.Optional(Type.Integer({ description: 'Files of a folder that are not.' })),
  },
  { description: 'RFC 9457 problem; `code` is stable.' },
)

/** What every route may answer when it fails. */
export const problemResponses = {
  '4xx': {
    description: 'Refused',
    content: { 'application/problem+json': { schema: problemSchema } },
  },
  '5xx': {
    description: 'Failed',
    content: { 'application/problem+json': { schema: problemSchema } },
  },
}

export function fileJson(file: FileInfo) {
  return {
    name: file.name,
    size: file.sizeBytes,
    modified: new Date(file.modifiedMs).toISOString(),
    type: file.type,
    md5: file.md5,
    copies: file.copies,
    state: file.state,
    ...(file.state === 'insufficient'
      ? { missingParts: file.missingParts, missingNodes: file.missingNodes }
      : {}),
  }
}

export function folderJson({ prefix, fileCount, sizeBytes }: FolderInfo) {
  return { prefix, files: fileCount, size: sizeBytes }
}

export function listingJson(listing: Listing) {
  return {
    files: listing.files.map(fileJson),
    folders: listing.folders.map(folderJson),
    ...(listing.next === undefined ? {} : { next: listing.next }),
    from: listing.from,
    rows: listing.rowCount,
    total: { files: listing.total.fileCount, size: listing.total.sizeBytes },
    change: listing.change,
    missingNodes: listing.missingNodes,
  }
}

export function changesJson({ files, gone, isReset, change }: ListingChanges) {
  return { files: files.map(fileJson), gone, reset: isReset, change }
}

export function descriptionJson(description: FileDescription) {
  const { x, first, rows, rowBytes } = description
  const parts = description.parts.map(({ part, sizeBytes, copies }) => ({
    part,
    size: sizeBytes,
    nodes: copies.map(({ node, isHere }) => ({ node, here: isHere })),
  }))
  return { ...fileJson(description), x, first, rows, rowBytes, parts }
}
