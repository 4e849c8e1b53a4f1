// On which line of a TOML file each key stands. Knows the syntax tree and no schema.
import type { AST } from 'toml-eslint-parser'

/** Line (from 1) of every dotted key, array elements (`nodes.2`) and tables included. */
export function linesOf(tree: AST.TOMLProgram): Map<string, number> {
  const lines = new Map<string, number>()
  const note = (path: readonly (string | number)[], line: number) => {
    // A table that only dotted keys make stands where the first of them stands.
    for (let length = 1; length <= path.length; length++) {
      const key = path.slice(0, length).join('.')
      if (!lines.has(key)) lines.set(key, line)
    }
  }
  const visitValue = (value: AST.TOMLContentNode, path: (string | number)[]) => {
    if (value.type === 'TOMLInlineTable') visitPairs(value.body, path)
    if (value.type !== 'TOMLArray') return
    value.elements.forEach((element, index) => {
      note([...path, index], element.loc.start.line)
      visitValue(element, [...path, index])
    })
  }
  const visitPairs = (pairs: readonly AST.TOMLKeyValue[], base: (string | number)[]) => {
    for (const pair of pairs) {
      const path = [...base, ...namesOf(pair.key)]
      note(path, pair.loc.start.line)
      visitValue(pair.value, path)
    }
  }
  for (const node of tree.body[0].body) {
    if (node.type === 'TOMLKeyValue') {
      visitPairs([node], [])
    } else {
      note(node.resolvedKey, node.loc.start.line)
      visitPairs(node.body, node.resolvedKey)
    }
  }
  return lines
}

function namesOf(key: AST.TOMLKey): string[] {
  return key.keys.map((name) => (name.type === 'TOMLBare' ? name.name : name.value))
}
