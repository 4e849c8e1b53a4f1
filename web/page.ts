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

export type Theme = 'light' | 'dark'

/** What happened just now; `bad` brings its sentence along, the others are told by the page. */
export type PageNotice =
  | { kind: 'stored'; fileCount: number; sizeBytes: number }
  | { kind: 'deleted'; name: string }
  | { kind: 'renamed'; name: string; to: string }
  | { kind: 'password' }
  | { kind: 'bad'; text: string }

/** What a form was to do. */
export type PageTask =
  | { kind: 'upload'; folder: string }
  | { kind: 'delete'; name: string }
  | { kind: 'rename'; name: string }

/**
 * Common to all pages. Paths begin with `base` (no slash at its end; empty where served at the
 * root), which is the path of `gateway.public_url` in conf/dfc.conf. Scripts find it in the
 * document, `<html data-base="">`: every address that they ask is `${base}/` and the rest, so that
 * the page works below any path of a reverse proxy.
 */
interface PageFrame {
  base: string
  /** Paths of the built script, style sheet and icon. */
  assets: { script: string; style: string; icon: string }
  user?: string
  /** Chosen against what the system prefers. */
  theme?: Theme
  nodes: PageNode[]
  /** Shown above the content. */
  notice?: PageNotice
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
        /** Which hundred of the listing this is, from 1; whether another comes after it. */
        page: number
        hasNext: boolean
        /** What curl would use, e.g. `https://files.example`. */
        origin: string
      }
    | { kind: 'delete'; file: PageFile }
    | {
        kind: 'rename'
        /** Of a file, or of a folder with `/` at its end. */
        name: string
        /** What the field holds at first. */
        to: string
        /** The name in it is taken: offers to replace that. */
        isTaken: boolean
      }
    | { kind: 'account' }
    | {
        kind: 'message'
        /** Of HTTP. */
        status: number
        /** Of the errors of the protocol; one that the page does not know is told neutrally. */
        code: string
        /** What happened this time, one sentence. */
        text: string
        /** What anyone can do after such an error, one sentence. */
        hint: string
        /** The form that failed; none where an address was opened. */
        task?: PageTask
        /** Names of what the form stored before it failed. */
        stored: string[]
      }
  )
