import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

const project = resolve(import.meta.dirname, '..')

/** Path from the checkout's folder. */
export async function writeProjectFile(path: string, text: string): Promise<void> {
  const file = resolve(project, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
}

/** Replaces what a document of the project has between the markers of this name. @throws Error without them */
export async function publishBlock(path: string, name: string, text: string): Promise<void> {
  const before = await readFile(resolve(project, path), 'utf8')
  await writeProjectFile(path, replaceBlock(before, name, text))
}

/** @throws Error when the document has no such markers */
export function replaceBlock(document: string, name: string, text: string): string {
  const [opening, closing] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`]
  const [from, to] = [document.indexOf(opening), document.indexOf(closing)]
  if (from < 0 || to < from) throw new Error(`there is no ${opening} ... ${closing}`)
  return `${document.slice(0, from + opening.length)}\n${text}\n${document.slice(to)}`
}
