import { holds } from './holds.js'
import type { Mutation } from './mutation.js'
import { payments } from './payments.js'
import { stores } from './stores.js'
import { watching } from './watching.js'

export const mutations: readonly Mutation[] = [...holds, ...payments, ...stores, ...watching]
