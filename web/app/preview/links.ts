// Which addresses a text of the user's may link to: the web and mail, nothing that runs.

/** Undefined for anything but whole addresses of the web and of mail. */
export function safeAddress(address: string): string | undefined {
  const url = URL.parse(address)
  return url !== null && ['http:', 'https:', 'mailto:'].includes(url.protocol)
    ? url.href
    : undefined
}
