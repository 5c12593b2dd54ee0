/**
 * The process in which one part of a bench of the store runs, alone, so that its memory is its own.
 * Started by `store-stage.mjs`: answers each call that it is sent, and ends when it is let go.
 */
import { memoryPeakMib } from './store-ground.mjs'

// A stage that is gone cannot let its parts go.
for (const event of ['disconnect', 'error']) process.once(event, () => process.exit())

const { file, part, settings } = JSON.parse(process.argv[2])
const { parts } = await import(file)
const running = await parts[part](settings)

process.on('message', async ({ name, args }) => {
  try {
    const result = await running[name](...args)
    process.send({ result, memoryPeakMib: memoryPeakMib() })
  } catch (error) {
    process.send({ error: String(error.stack) })
  }
})
process.send({ memoryPeakMib: memoryPeakMib() })
