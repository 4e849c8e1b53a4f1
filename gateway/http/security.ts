// The policy under which our own pages run (design: Strict CSP and Trusted Types).
const SELF = ["'self'"]
const NONE = ["'none'"]

/** User files carry stricter ones of their own: served-file.ts. */
const PAGE_POLICY = {
  'default-src': NONE,
  'script-src': SELF,
  'style-src': SELF,
  'img-src': ["'self'", 'blob:', 'data:'],
  'media-src': ["'self'", 'blob:'],
  'font-src': SELF,
  'connect-src': SELF,
  'worker-src': SELF,
  'form-action': SELF,
  'frame-ancestors': NONE,
  'base-uri': NONE,
  'require-trusted-types-for': ["'script'"],
  'trusted-types': ['svelte-trusted-html'],
}

/** The value of the header field. */
export function pagePolicy(): string {
  const directives = Object.entries(PAGE_POLICY).map(([name, values]) =>
    [name, ...values].join(' '),
  )
  return directives.join(';')
}
