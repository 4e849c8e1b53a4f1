// The rule for file names: any text a person would use, nothing that could climb out of a folder.
import { DfsError, MAX_NAME_BYTES } from '@fourfold/storage-node/protocol'

/** C0 and C1 controls, but tab, line feed and carriage return, which real names contain. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/

/**
 * The name in NFC, as it is stored and shown. `/` makes folders.
 * @throws DfsError NAME_INVALID saying which rule it breaks
 */
export function checkFileName(name: string): string {
  if (!name.isWellFormed()) refuse('holds half of a surrogate pair')
  const normal = name.normalize('NFC')
  const lengthBytes = Buffer.byteLength(normal)
  if (lengthBytes === 0) refuse('is empty')
  if (lengthBytes > MAX_NAME_BYTES)
    refuse(`is ${lengthBytes} bytes long; ${MAX_NAME_BYTES} are allowed`)
  if (CONTROL.test(normal)) refuse('holds a control character')
  for (const segment of normal.split('/')) {
    if (segment === '') refuse('has an empty segment: it begins or ends with / or has // in it')
    if (segment === '.' || segment === '..') refuse(`has the segment ${segment}`)
  }
  return normal
}

function refuse(why: string): never {
  throw new DfsError('NAME_INVALID', `The file name ${why}.`)
}
