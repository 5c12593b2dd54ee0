/** The order in which test files begin: the longest come first, so that others fill their pauses. */
import { BaseSequencer, type TestSpecification, type Vitest } from 'vitest/node'

/** A sequencer of vitest that begins with the files whose paths end like this. */
export function longestFirst(longest: readonly string[]): new (vitest: Vitest) => BaseSequencer {
  const rank = ({ moduleId }: TestSpecification): number => {
    const at = longest.findIndex((path) => moduleId.endsWith(`/${path}.ts`))
    return at < 0 ? longest.length : at
  }
  return class extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      return files.toSorted((one, other) => rank(one) - rank(other))
    }
  }
}
