// Plain JavaScript on purpose: an older Node cannot even load a .ts file, and says only ERR_UNKNOWN_FILE_EXTENSION.
const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  process.stderr.write(
    `still-here needs Node 24 or newer; this is ${process.versions.node}.\n` +
      'Node 24 comes with `npm ci` unless install scripts are switched off; run `npm ci` again with them on.\n',
  )
  process.exit(1)
}
