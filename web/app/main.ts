// Takes over the page that the gateway sent: reads from it where the site is and who is signed in,
// and puts the app in its place as soon as that has as much to show, so that nothing blinks. Where
// this file fails, the page that was sent still works.
import { mount } from 'svelte'
import { App } from './app.svelte.ts'
import Frame from './Frame.svelte'

/** The app itself says best what does not come. */
const PATIENCE_MS = 3000

const { base, user } = document.documentElement.dataset
const app = new App(base ?? '')
const firstView =
  user === undefined
    ? import('./SignIn.svelte')
    : Promise.all([app.signedIn(user), import('./Overlays.svelte')])
const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))
void Promise.race([firstView, patience])
  .catch(() => {})
  .then(() => {
    document.body.replaceChildren()
    document.documentElement.classList.add('app')
    mount(Frame, { target: document.body, props: { app } })
  })
