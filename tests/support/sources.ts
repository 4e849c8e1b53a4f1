// The repository as data for the tidy test: its text files, their lines, what they import, declare
// and export. Reads source through TypeScript's own parser; knows no house rule.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import ts from 'typescript'

export const ROOT = join(import.meta.dirname, '..', '..')

const TYPE = ts.SyntaxKind.TypeKeyword

/** Folders that hold nothing written by hand. */
const SKIPPED = new Set(['node_modules', '.git', 'dist', 'data', 'artefacts'])

export interface Source {
  /** From the root, with `/`. */
  path: string
  text: string
  lines: string[]
}

export interface Named {
  name: string
  line: number
}

/** Every file below the root whose name ends in one of `extensions`. */
export function readSources(...extensions: string[]): Source[] {
  return walk(ROOT)
    .filter((path) => extensions.some((extension) => path.endsWith(extension)))
    .map((path) => {
      const text = readFileSync(path, 'utf8')
      return { path: relative(ROOT, path).split(sep).join('/'), text, lines: text.split('\n') }
    })
}

export interface Import extends Named {
  /** Nothing of it is there at run time. */
  isType: boolean
}

/** Module specifiers of imports, exports-from and `import()`. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = []
  visit(source, (node, lineOf) => {
    const at =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined
    if (at === undefined || !ts.isStringLiteralLike(at)) return
    const isType =
      (ts.isImportDeclaration(node) && node.importClause?.phaseModifier === TYPE) ||
      (ts.isExportDeclaration(node) && node.isTypeOnly) ||
      ts.isImportTypeNode(node)
    found.push({ ...lineOf(at, at.text), isType })
  })
  return found
}

/**
 * Every name that the source itself gives: not those it takes from others, nor keys of literals.
 */
export function declaredNamesOf(source: Source): Named[] {
  const found: Named[] = []
  visit(source, (node, lineOf) => {
    const isDeclaration =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      ts.isInterfaceDeclaration(node) ||
      ts.isTypeAliasDeclaration(node) ||
      ts.isTypeParameterDeclaration(node) ||
      ts.isPropertySignature(node) ||
      ts.isPropertyDeclaration(node) ||
      ts.isMethodDeclaration(node) ||
      ts.isMethodSignature(node) ||
      ts.isGetAccessor(node)
    if (!isDeclaration || node.name === undefined) return
    const { name } = node
    if (ts.isIdentifier(name) || ts.isPrivateIdentifier(name)) found.push(lineOf(name, name.text))
  })
  return found
}

/** Exported functions, and exported constants that are functions, without a doc comment. */
export function undocumentedFunctionsOf(source: Source): Named[] {
  const found: Named[] = []
  visit(source, (node, lineOf) => {
    if (!ts.isFunctionDeclaration(node) && !ts.isVariableStatement(node)) return
    if (!node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return
    const declaration = ts.isFunctionDeclaration(node) ? node : node.declarationList.declarations[0]
    if (declaration?.name === undefined || !ts.isIdentifier(declaration.name)) return
    if (ts.isVariableDeclaration(declaration) && !isFunction(declaration.initializer)) return
    if (ts.getJSDocCommentsAndTags(node).length > 0) return
    found.push(lineOf(declaration.name, declaration.name.text))
  })
  return found
}

/** Generators that are made anew whenever the function around them is called. */
export function innerGeneratorsOf(source: Source): Named[] {
  const found: Named[] = []
  visit(source, (node, lineOf) => {
    const isGenerator =
      (ts.isFunctionDeclaration(node) ||
        ts.isFunctionExpression(node) ||
        ts.isMethodDeclaration(node)) &&
      node.asteriskToken !== undefined
    if (!isGenerator || ts.isClassLike(node.parent)) return
    if (ts.findAncestor(node.parent, ts.isFunctionLike) === undefined) return
    found.push(lineOf(node, node.name?.getText() ?? 'a function'))
  })
  return found
}

type LineOf = (node: ts.Node, name: string) => Named

function visit(source: Source, take: (node: ts.Node, lineOf: LineOf) => void): void {
  const file = ts.createSourceFile(source.path, scriptOf(source), ts.ScriptTarget.ESNext, true)
  const lineOf: LineOf = (node, name) => ({
    name,
    line: file.getLineAndCharacterOfPosition(node.getStart()).line + 1,
  })
  const step = (node: ts.Node) => {
    take(node, lineOf)
    ts.forEachChild(node, step)
  }
  step(file)
}

/**
 * The TypeScript of a file; of a component what is inside its script elements, on the same lines.
 */
function scriptOf({ path, text }: Source): string {
  if (!path.endsWith('.svelte')) return text
  const blank = (part: string) => part.replaceAll(/[^\n]/g, ' ')
  let script = ''
  let at = 0
  for (const match of text.matchAll(/(<script[^>]*>)([\s\S]*?)<\/script>/g)) {
    const from = match.index + match[1]!.length
    script += blank(text.slice(at, from)) + match[2]
    at = from + match[2]!.length
  }
  return script
}

function isFunction(node: ts.Node | undefined): boolean {
  return node !== undefined && (ts.isArrowFunction(node) || ts.isFunctionExpression(node))
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return walk(path)
    return entry.isFile() ? [path] : []
  })
}
