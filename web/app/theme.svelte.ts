// Light or dark: as the system prefers until the person says otherwise. The choice is a cookie, so
// that the gateway sends the page in the right colours and nothing flashes.
import type { Theme } from '../page.ts'

const YEAR_S = 365 * 24 * 3600

export class ThemeSwitch {
  current = $state<Theme>('light')
  readonly #path: string

  constructor(base: string) {
    this.#path = `${base}/`
    const { theme } = document.documentElement.dataset
    const isDark = matchMedia('(prefers-color-scheme: dark)')
    const preferred = () => (isDark.matches ? 'dark' : 'light')
    this.current = theme === 'dark' || theme === 'light' ? theme : preferred()
    isDark.addEventListener('change', () => {
      if (document.documentElement.dataset.theme === undefined) this.current = preferred()
    })
  }

  flip(): void {
    this.current = this.current === 'dark' ? 'light' : 'dark'
    document.documentElement.dataset.theme = this.current
    const life = `max-age=${YEAR_S}; samesite=strict`
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API needs HTTPS
    document.cookie = `fourfold-theme=${this.current}; path=${this.#path}; ${life}`
  }
}
