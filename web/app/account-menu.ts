// What the account's menu offers.
import type { App, MenuItem } from './app.svelte.ts'

export function accountMenu(app: App): MenuItem[] {
  return [
    { label: 'Cluster', act: () => app.view.show('cluster') },
    {
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
}
