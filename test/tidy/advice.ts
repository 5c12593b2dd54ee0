/** What the house advises about sizes: printed, never a failure. */
import type { House } from './house.ts'

const MAX_FUNCTION_LINES = 70
const MAX_FILE_LINES = 500

/** One sentence for each function or file that has grown beyond what is easy to read. */
export function adviceOn(house: House): string[] {
  return [...house.modules.values(), ...house.around].flatMap((module) => {
    const isTest = module.path.endsWith('.test.ts')
    const long = isTest ? [] : module.functions.filter(({ lines }) => lines > MAX_FUNCTION_LINES)
    return [
      ...long.map(({ name, line, lines }) => `${module.path}:${line} ${name} has ${lines} lines`),
      ...(module.lines > MAX_FILE_LINES ? [`${module.path} has ${module.lines} lines`] : []),
    ]
  })
}
