// The contract between nodes and their clients: what gateway and terminal may import of the storage
// node.
export * from './changes-page.ts'
export * from './errors.ts'
export * from './frame.ts'
export * from './frame-reader.ts'
export * from './limits.ts'
export * from './messages.ts'
export * from './pieces.ts'
export * from './placement.ts'
export * from './scram.ts'
export * from './shapes.ts'
export * from './username.ts'
export * from './version.ts'
