/** The OpenAPI document, for holding answers against it. */
import fastify, { type FastifyInstance } from 'fastify'

interface MediaType {
  readonly schema?: object
}
interface Operation {
  readonly responses?: Readonly<Record<string, { readonly description: string; readonly content?: Readonly<Record<string, MediaType>> }>>
}
export interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/** @returns what is wrong with an answer, or null where it is as the document says */
export type Judge = (method: string, url: string, status: number, contentType: string, body: string) => string | null

type Check = ((value: unknown) => boolean) & { errors?: unknown }

/** @returns the compiler of schemas that the server itself uses, strict about types and fields */
async function compiler(): Promise<(schema: object) => Check> {
  const bare = fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } } })
  return new Promise((resolve, reject) => {
    bare.get('/', async (request) => resolve((schema) => request.compileValidationSchema(schema) as Check))
    bare.inject('/').catch(reject)
  })
}

const escaped = (path: string) => path.replaceAll(/[.\\]/g, '\\$&').replaceAll(/\{[^}]+\}/g, '[^/]+')

/** @param app ready, so that its document is whole */
export async function judge(app: FastifyInstance): Promise<Judge> {
  const { paths } = app.swagger() as OpenApi
  const routes = Object.entries(paths)
    .map(([path, operations]) => ({ path, pattern: new RegExp(`^${escaped(path)}$`), operations }))
    // A path without parameters is more particular than one with.
    .toSorted((a, b) => a.path.split('{').length - b.path.split('{').length)
  const checks = new Map<object, Check>()
  const compile = await compiler()

  return (method, url, status, contentType, body) => {
    const route = routes.find(({ pattern }) => pattern.test(url.split('?')[0]!))
    const operation = route?.operations[method.toLowerCase()]
    if (!route || !operation) return [400, 404, 429].includes(status) ? null : `no such operation: ${method} ${url}`
    const response = operation.responses?.[status] ?? operation.responses?.[`${Math.floor(status / 100)}XX`]
    if (!response) return `${method} ${route.path} has no answer ${status}`
    const schema = response.content?.[contentType.split(';')[0]!]?.schema
    if (!schema) return body === '' ? null : `${method} ${route.path} ${status} has no body of type ${contentType}`
    let check = checks.get(schema)
    if (check === undefined) {
      check = compile(schema)
      checks.set(schema, check)
    }
    if (check(contentType.startsWith('text/plain') ? body : JSON.parse(body))) return null
    return `${method} ${route.path} ${status} is not as documented: ${JSON.stringify(check.errors)} in ${body}`
  }
}
