// Imported before anything else: libsignal prints whole session records, private keys included, with console.*.
// Nothing in this process may write through the console; log lines go through log.mjs.
for (const [name, value] of Object.entries(console)) {
  if (typeof value === 'function') console[name] = () => {}
}
