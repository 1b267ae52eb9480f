import { defineConfig } from 'vitest/config'

const needsServer = { testTimeout: 30_000, hookTimeout: 120_000 }

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/faults/**'],
        },
      },
      {
        test: {
          ...needsServer,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: 'test/support/global-setup.ts',
        },
      },
      {
        test: {
          ...needsServer,
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          globalSetup: 'test/support/faults-setup.ts',
          // Each file stops and freezes servers and measures time: one at a time, and after all else.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
