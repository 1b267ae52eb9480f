// JavaScript, with its types beside it: those of vega-lite 6.5 do not pass TypeScript 7's check of libraries.
import { parse, View } from 'vega'
import { compile } from 'vega-lite'

export async function renderSvg(spec) {
  const view = new View(parse(compile(spec).spec), { renderer: 'none' })
  return await view.toSVG()
}
