// Preloaded into every process that `npm start` starts: ends it cleanly when the starter is gone,
// however the starter ended. Knows nothing of what the process does. JavaScript, as those of bin/:
// it runs before the compile cache is on.
if (process.channel !== undefined) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // The channel is only for its end: it must not keep a process alive that wants to exit.
  process.channel?.unref()
}
