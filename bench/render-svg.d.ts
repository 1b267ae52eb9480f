/** A vega-lite specification as SVG. @throws Error when it is not one */
export function renderSvg(spec: object): Promise<string>
