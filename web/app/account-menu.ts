// What the account's menu offers.
import type { App, MenuItem } from './app.svelte.ts'
import { hasPassword } from './faces.ts'

export function accountMenu(app: App): MenuItem[] {
  const entries: (MenuItem | false)[] = [
    { label: 'Cluster', act: () => app.view.show('cluster') },
    hasPassword && {
      label: 'Change password…',
      act: () => {
        app.dialog = { kind: 'password' }
      },
    },
    {
      label: 'Keyboard shortcuts',
      act: () => {
        app.dialog = { kind: 'shortcuts' }
      },
    },
    { label: 'Sign out', act: () => void app.signOut() },
  ]
  return entries.filter((entry) => entry !== false)
}
