// How a user's bytes are named and typed when they leave, so that they can do no harm: what may
// be shown in the browser, what is only ever saved, and under which file name. Pure.
import { create } from 'content-disposition'
import type { FileInfo } from '../dfs/store.ts'

/** On every answer that carries a user's bytes; nothing in them may run, load or frame anything. */
const FILE_POLICY = "default-src 'none'; sandbox"

/** Around a picture the browser makes a page of its own, with styles in it. */
const IMAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

/**
 * The page that the browser makes around a film or a sound fetches it once more, and needs the
 * cookie for that, which no page of another origin would send. The sandbox still runs no script.
 */
const MEDIA_POLICY =
  "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox allow-same-origin"

/** Shown by browsers without running anything (no SVG: it scripts). */
const SHOWN = /^(image\/(png|jpeg|webp|gif|avif)|(video|audio)\/[\w.+-]+|application\/pdf)$/

/** `type/subtype` and parameters, of visible ASCII only (RFC 9110 section 8.3.1). */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;[\x20-\x7e]*)?$/

export interface ServedHeaders {
  'content-type': string
  'content-disposition': string
  'content-security-policy': string
}

/** `isDownload`: the user asked to save it (`?download`). */
export function servedHeaders(
  file: Pick<FileInfo, 'name' | 'type'>,
  isDownload: boolean,
): ServedHeaders {
  const { contentType, isShown } = servedType(file.type)
  const type = isShown && !isDownload ? 'inline' : 'attachment'
  return {
    'content-type': contentType,
    // RFC 6266 and 8187; a name with line breaks travels percent-encoded.
    'content-disposition': create(saveName(file.name), { type }),
    'content-security-policy': type === 'inline' ? shownPolicy(contentType) : FILE_POLICY,
  }
}

function shownPolicy(contentType: string): string {
  if (/^(video|audio)\//.test(contentType)) return MEDIA_POLICY
  return contentType.startsWith('image/') ? IMAGE_POLICY : FILE_POLICY
}

/** What may be shown keeps its type; text of any kind but HTML is plain text. */
export function servedType(type: string): { contentType: string; isShown: boolean } {
  const bare = type.split(';', 1)[0]!.trim().toLowerCase()
  if (SHOWN.test(bare)) return { contentType: bare, isShown: true }
  if (bare.startsWith('text/') && bare !== 'text/html' && MEDIA_TYPE.test(bare)) {
    return { contentType: 'text/plain; charset=utf-8', isShown: true }
  }
  return { contentType: isMediaType(type) ? type : 'application/octet-stream', isShown: false }
}

export function isMediaType(text: string): boolean {
  return MEDIA_TYPE.test(text)
}

/** The last segment: what a browser proposes to save as. */
function saveName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}
