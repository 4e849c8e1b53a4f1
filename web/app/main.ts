// Takes over the page that the gateway sent: reads from it where the site is and who is signed in,
// and puts the app in its place. Where this file fails, the page that was sent still works.
import { mount } from 'svelte'
import { App } from './app.svelte.ts'
import Frame from './Frame.svelte'

const { base, user } = document.documentElement.dataset
const app = new App(base ?? '', user)
document.body.replaceChildren()
document.documentElement.classList.add('app')
mount(Frame, { target: document.body, props: { app } })
