import { readFile } from 'node:fs/promises'

/** The rows of a CSV file beside this module, without its header: comma-separated, quotes where a value has a comma. */
export async function readCsv(fileName: string): Promise<string[][]> {
  const text = await readFile(new URL(fileName, import.meta.url), 'utf8')
  return text.trimEnd().split('\n').slice(1).map(splitLine)
}

function splitLine(line: string): string[] {
  return Array.from(line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g), ([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
  )
}
