// Owns the node's folder: makes it, takes its lock, says whose it is, and refuses what is not ours.
//   format.json  catalog.sqlite(-wal)  parts/00..ff/  staging/  repair/
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { type Catalog, FORMAT, openCatalog } from './catalog.ts'
import { syncFolder, toDiskError, writeFileDurably } from './durable.ts'
import { DfsError, fits, NODE_COUNT, Type } from './protocol/index.ts'

const FORMAT_FILE = 'format.json'
/** What a creation that was cut short may have left, and what a freshly mounted disk holds. */
const HARMLESS =
  /^(catalog\.sqlite(-wal|-shm|-journal)?|format\.json\.new|parts|staging|repair|lost\+found)$/

const Format = Type.Object({
  format: Type.Integer(),
  node: Type.Integer({ minimum: 1, maximum: NODE_COUNT }),
  /** 32 hex digits, random: the identity of this folder. */
  epoch: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  createdAt: Type.String(),
})

export interface Folder {
  path: string
  partsPath: string
  stagingPath: string
  /** Where parts grow that are on their way from a peer. */
  partialPath: string
  epoch: Buffer
  /** When it was made, by this machine's clock: versions before then may have been here once. */
  createdMs: number
  catalog: Catalog
}

/**
 * Opens the folder of node `node` (1..4), or makes it. Closing the catalog gives the lock back.
 * @throws DfsError FOLDER_FOREIGN, FOLDER_IN_USE, DISK_FAILED, NO_SPACE
 */
export async function openFolder(path: string, node: number): Promise<Folder> {
  let catalog: Catalog | undefined
  try {
    mkdirSync(path, { recursive: true })
    const isNew = inspect(path, node) === undefined
    catalog = openCatalog(`${path}/catalog.sqlite`)
    makeFolders(path)
    if (isNew) await makeFormat(path, node, catalog)
    await syncFolder(path)
    await syncFolder(`${path}/parts`)
    const identity = inspect(path, node)!
    const staging = { stagingPath: `${path}/staging`, partialPath: `${path}/repair` }
    return { path, partsPath: `${path}/parts`, ...staging, ...identity, catalog }
  } catch (error) {
    catalog?.close()
    throw toDiskError(error, `opening the folder ${path}`)
  }
}

/**
 * The identity of a folder that is ours, undefined for one that is to be made. @throws DfsError
 * FOLDER_FOREIGN
 */
function inspect(path: string, node: number): Pick<Folder, 'epoch' | 'createdMs'> | undefined {
  const names = readdirSync(path)
  if (!names.includes(FORMAT_FILE)) {
    const stranger = names.find((name) => !HARMLESS.test(name))
    if (stranger === undefined) return undefined
    throw foreign(`${path} holds other things (${stranger}) and is no folder of a storage node.`)
  }
  const format = readFormat(`${path}/${FORMAT_FILE}`)
  if (format === undefined) throw foreign(`${path}/${FORMAT_FILE} cannot be read.`)
  if (format.format !== FORMAT) {
    throw foreign(`${path} is of format ${format.format}; this release reads format ${FORMAT}.`)
  }
  if (format.node !== node) {
    throw foreign(`${path} was made by node ${format.node}, and this is node ${node}.`)
  }
  return { epoch: Buffer.from(format.epoch, 'hex'), createdMs: Date.parse(format.createdAt) || 0 }
}

function readFormat(path: string) {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return fits(Format, value) ? value : undefined
  } catch {
    return undefined
  }
}

/** All 256 inner folders at once, so that placing a part never has to sync the folder above. */
function makeFolders(path: string): void {
  mkdirSync(`${path}/staging`, { recursive: true, mode: 0o700 })
  mkdirSync(`${path}/repair`, { recursive: true, mode: 0o700 })
  mkdirSync(`${path}/parts`, { recursive: true, mode: 0o700 })
  const present = new Set(readdirSync(`${path}/parts`))
  for (let index = 0; index < 256; index++) {
    const name = index.toString(16).padStart(2, '0')
    if (!present.has(name)) mkdirSync(`${path}/parts/${name}`, { mode: 0o700 })
  }
}

/** The last step of making a folder: from here on it is this node's. */
async function makeFormat(path: string, node: number, catalog: Catalog): Promise<void> {
  if (!catalog.isEmpty()) {
    throw foreign(`${path} has a catalog with entries but has lost its ${FORMAT_FILE}.`)
  }
  const epoch = randomBytes(16).toString('hex')
  const text = JSON.stringify({ format: FORMAT, node, epoch, createdAt: new Date().toISOString() })
  await writeFileDurably({ folder: path, name: FORMAT_FILE, bytes: Buffer.from(`${text}\n`) })
}

function foreign(message: string): DfsError {
  return new DfsError('FOLDER_FOREIGN', message)
}
