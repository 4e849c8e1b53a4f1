// What the test of Uppy puts into a page: Uppy itself and its tus plugin, as they are published.
export { Uppy } from '@uppy/core'
export { default as Tus } from '@uppy/tus'
