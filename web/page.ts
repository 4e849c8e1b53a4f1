// What the gateway hands to the server-rendered page: plain data, nothing of HTTP or of the nodes'
// insides.

/** Health and name of one node, for banner and summary. */
export interface PageNode {
  name: string
  isUp: boolean
}

export interface PageFile {
  name: string
  sizeBytes: number
  modifiedMs: number
  /** 8-bit mask; see FileInfo.copies in the gateway's store. */
  copies: number
  state: 'complete' | 'degraded' | 'insufficient'
  missingParts: number[]
  missingNodes: string[]
}

export interface PageFolder {
  prefix: string
  fileCount: number
  sizeBytes: number
}

/**
 * Common to all pages. Paths begin with `base` (no slash at its end; empty where served at the
 * root).
 */
interface PageFrame {
  base: string
  /** Paths of the built style sheet, icon and font. */
  assets: { style: string; icon: string; font: string }
  user?: string
  nodes: PageNode[]
  /** A sentence about what just happened, shown above the content. */
  notice?: { kind: 'ok' | 'bad'; text: string }
}

export type Page = PageFrame &
  (
    | { kind: 'sign-in'; next: string; lastUser?: string }
    | {
        kind: 'files'
        files: PageFile[]
        folders: PageFolder[]
        /** The folder that is shown: '' or a prefix ending in '/'. */
        folder: string
        search: string
        sort: 'name' | 'size' | 'modified'
        isDescending: boolean
        total: { fileCount: number; sizeBytes: number }
        /** Query strings (with '?') of the pages beside this one. */
        next?: string
        previous?: string
        /** What curl would use, e.g. `https://files.example`. */
        origin: string
      }
    | { kind: 'delete'; file: PageFile; back: string }
    | { kind: 'message'; status: number; title: string; text: string; back: string }
  )
