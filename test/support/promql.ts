/** A series that an expression selects, and the labels that it filters by. */
interface Selector {
  readonly metric: string
  readonly labels: readonly string[]
}

/** What a PromQL expression reads. */
export interface Reads {
  readonly selectors: readonly Selector[]
  /** Labels that results are grouped or matched by. */
  readonly groupings: readonly string[]
}

const TOKEN =
  /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[[^\]]*\]|[A-Za-z_:][\w:]*|\d[\w.]*|[=!]~|[=!<>]=|[-+*/%^(){},<>=]|\s+|#.*/y
const WORD = /^[A-Za-z_:][\w:]*$/
const GROUPING = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'])
const OPERATORS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan'])

/**
 * Finds what an expression reads; no judge of whether it means anything.
 * @throws Error at a character that PromQL does not have
 */
export function parsePromql(expression: string): Reads {
  const tokens = tokenise(expression)
  const selectors: Selector[] = []
  const groupings: string[] = []
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] ?? ''
    const next = tokens[at + 1]
    if (!WORD.test(token) || OPERATORS.has(token) || (GROUPING.has(token) && next !== '(')) continue
    const end = tokens.indexOf(next === '{' ? '}' : ')', at)
    if (GROUPING.has(token)) groupings.push(...wordsOf(tokens.slice(at + 2, end)))
    // A word before a parenthesis is a function, and so is an aggregation before its grouping.
    else if (next !== '(' && !GROUPING.has(next ?? '')) {
      selectors.push({ metric: token, labels: next === '{' ? wordsOf(tokens.slice(at + 2, end)) : [] })
    }
    if (next === '{' || GROUPING.has(token)) at = end
  }
  return { selectors, groupings }
}

function tokenise(expression: string): string[] {
  const tokens: string[] = []
  const matcher = new RegExp(TOKEN)
  for (let at = 0; at < expression.length; at = matcher.lastIndex) {
    matcher.lastIndex = at
    const [token] = matcher.exec(expression) ?? []
    if (token === undefined) throw new Error(`not PromQL: ${expression.slice(at, at + 20)}`)
    if (!/^[\s#]/.test(token)) tokens.push(token)
  }
  return tokens
}

function wordsOf(tokens: readonly string[]): string[] {
  return tokens.filter((token) => WORD.test(token))
}
