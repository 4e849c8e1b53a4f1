// What the decided entries of each user add up to (protocol/entry-digest.ts), kept by triggers, so
// that asking costs nothing however many there are: a client that knows what another node has sees
// at once whether this one has the same.
import type { Catalog } from './catalog.ts'
import { addDigests, addEntryDigests } from './protocol/index.ts'

const IDS_BYTES = 32

const digestOf = (row: 'NEW' | 'OLD') =>
  `CAST(entry_digest(${row}.file, ${row}.version, ${row}.state * 16 + ${row}.parts) AS INTEGER)`
const MASK = 2 ** 53 - 1
const less = `UPDATE digests SET digest = (digest - ${digestOf('OLD')}) & ${MASK}
  WHERE user = OLD.user;`
const more = `INSERT INTO digests VALUES (NEW.user, ${digestOf('NEW')})
  ON CONFLICT (user) DO UPDATE SET digest = (digest + excluded.digest) & ${MASK};`

/** An entry is never decided when it is inserted: see entry-table.ts. */
const TRIGGERS = `
CREATE TRIGGER IF NOT EXISTS digest_decided AFTER UPDATE OF state ON entries
WHEN OLD.state = 0 AND NEW.state > 0 BEGIN ${more} END;
CREATE TRIGGER IF NOT EXISTS digest_changed AFTER UPDATE OF state, parts ON entries
WHEN OLD.state > 0 BEGIN ${less} ${more} END;
CREATE TRIGGER IF NOT EXISTS digest_removed AFTER DELETE ON entries
WHEN OLD.state > 0 BEGIN ${less} END;
`

const TABLE = `
CREATE TABLE digests (
  user   TEXT PRIMARY KEY,
  digest INTEGER NOT NULL -- of the user's decided entries
) STRICT, WITHOUT ROWID;
INSERT INTO digests SELECT user, CAST(entry_digests(file, version, state * 16 + parts) AS INTEGER)
  FROM entries WHERE state > 0 GROUP BY user;
`

/** Must be made before anything writes entries: the triggers call what is defined here. */
export function createEntryDigests({ database }: Catalog) {
  const ids = Buffer.alloc(IDS_BYTES)
  const digest = (file: unknown, version: unknown, facts: unknown): number => {
    ids.set(file as Uint8Array, 0)
    ids.set(version as Uint8Array, IDS_BYTES / 2)
    const sums = [0]
    addEntryDigests(sums, { bytes: ids, at: 0, facts: [facts as number] })
    return sums[0]!
  }
  database.function('entry_digest', { deterministic: true }, digest)
  database.aggregate('entry_digests', {
    start: 0,
    step: (sum: number, file, version, facts) => addDigests(sum, digest(file, version, facts)),
  })
  const found = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'digests'").get()
  // A folder that was made before these were kept gets them once.
  const table = found === undefined ? TABLE : ''
  database.exec(`BEGIN IMMEDIATE; ${table} ${TRIGGERS} COMMIT`)
  const one = database.prepare('SELECT digest FROM digests WHERE user = ?')
  const remove = database.prepare('DELETE FROM digests WHERE user = ?')

  return {
    of: (user: string) => (one.get(user) as { digest: number } | undefined)?.digest ?? 0,
    /** Of a user who has no entries any more. */
    remove: (user: string) => remove.run(user),
  }
}
