// A picture that no codec makes small, drawn inside a page.

/** Script for a page: answers a lossy WebP of noise as a data URL. */
export function noisyPicture(width: number, height: number): string {
  return `(() => {
    const canvas = document.createElement('canvas')
    canvas.width = ${width}
    canvas.height = ${height}
    const context = canvas.getContext('2d')
    const picture = context.createImageData(${width}, ${height})
    let seed = 1
    for (let at = 0; at < picture.data.length; at++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) | 0
      picture.data[at] = at % 4 === 3 ? 255 : seed >>> 24
    }
    context.putImageData(picture, 0, 0)
    return canvas.toDataURL('image/webp', 0.95)
  })()`
}
