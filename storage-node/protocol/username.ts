// The rule for user names: Alice, ALICE and alice are one account.
// A simpler rule than PRECIS UsernameCaseMapped (RFC 8265 section 3.3): NFKC and lower case, and
// only letters, marks, digits and five signs. That drops bidi and width rules by leaving those
// characters out, and keeps a name safe in Basic auth (no colon), in paths, in logs and on a
// command line.
import { DfsError } from './errors.ts'

const ALLOWED = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._+@-]*$/u
const MAX_CHARACTERS = 64
/** The proof keeps the length of the name in one byte. */
const MAX_BYTES = 255

/**
 * The canonical form of a user name: what is stored, compared and proved.
 * @throws DfsError USERNAME_INVALID
 */
export function foldUsername(name: string): string {
  const folded = name.normalize('NFKC').toLowerCase().normalize('NFKC')
  const isTooLong = [...folded].length > MAX_CHARACTERS || Buffer.byteLength(folded) > MAX_BYTES
  if (isTooLong || !ALLOWED.test(folded)) {
    throw new DfsError(
      'USERNAME_INVALID',
      'A user name has 1 to 64 letters, digits and . _ - + @ and starts with a letter or digit.',
    )
  }
  return folded
}
