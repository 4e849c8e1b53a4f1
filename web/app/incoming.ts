// Files on their way in, whichever way they come: a chooser, a drop of files and folders, a paste.
// Folders keep their paths. Reads nothing of the files themselves.

/** A file and the name that it shall have in the folder that is shown. */
export interface Incoming {
  file: File
  name: string
}

/** A chooser's files; those of a chosen folder come with their way from it. */
export function chosenFiles(files: readonly File[]): Incoming[] {
  return files.map((file) => ({ file, name: file.webkitRelativePath || file.name }))
}

/** What was pasted: files, or text as a file of its own. */
export function pastedFiles(data: DataTransfer | null): Incoming[] {
  if (data === null) return []
  if (data.files.length > 0) return chosenFiles([...data.files])
  const text = data.getData('text/plain')
  if (text === '') return []
  const time = new Date().toISOString().slice(0, 19).replace('T', ' ').replaceAll(':', '.')
  const name = `pasted-${time}.txt`
  return [{ file: new File([text], name, { type: 'text/plain' }), name }]
}

/**
 * What was dropped, with all that is in dropped folders. Entries must be taken before the event is
 * over; reading them may last.
 */
export async function droppedFiles(data: DataTransfer | null): Promise<Incoming[]> {
  const items = [...(data?.items ?? [])].filter(({ kind }) => kind === 'file')
  const sources = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile())
  const found: Incoming[] = []
  for (const source of sources) {
    if (source instanceof File) found.push({ file: source, name: source.name })
    else if (source !== null) await walk(source, '', found)
  }
  return found
}

async function walk(entry: FileSystemEntry, path: string, found: Incoming[]): Promise<void> {
  const name = path + entry.name
  if (isFileEntry(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject))
    found.push({ file, name })
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  // A folder is read in batches; an empty one is the end.
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (batch.length === 0) return
    for (const child of batch) await walk(child, `${name}/`, found)
  }
}

function isFileEntry(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile
}
