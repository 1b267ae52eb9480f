import { getContainerRuntimeClient, getReaper, ImageName } from 'testcontainers'
import type { ServerKind } from './provided-context.ts'
import type { TestSettings } from './test-database-setting.ts'

/**
 * Docker when it is asked for or answers and has the image, else a local server.
 * @throws Error when Docker was asked for by name and cannot be had
 */
export async function chooseServerKind(settings: TestSettings, say: (line: string) => void): Promise<ServerKind> {
  const { database, image } = settings
  if (database.name === 'local' || database.name === 'server') return { name: 'local' }
  try {
    await prepareDocker(image, say)
    return { name: 'docker', image }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (database.name === 'docker') throw new Error(`TEST_DATABASE=docker: ${reason}`, { cause: error })
    say(`${reason}; using a local server instead`)
    return { name: 'local' }
  }
}

async function prepareDocker(image: string, say: (line: string) => void): Promise<void> {
  const client = await getContainerRuntimeClient().catch((cause: unknown) => {
    throw new Error('Docker does not answer', { cause })
  })
  const name = ImageName.fromString(image)
  if (!(await client.image.exists(name))) {
    say(`Docker has no image ${image} yet: pulling it`)
    await client.image.pull(name).catch((cause: unknown) => {
      throw new Error(`Docker answers, but its image ${image} cannot be had`, { cause })
    })
  }
  // testcontainers' cleaner is an image too; better to miss it here than in the middle of the run.
  await getReaper(client).catch((cause: unknown) => {
    throw new Error('Docker answers, but the cleaner of testcontainers (Ryuk) cannot be started', { cause })
  })
}
