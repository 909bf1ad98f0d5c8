// The reference's routes on Fastify. Bodies arrive as text: the fingerprint is taken of what was
// sent, and the checking is the same as behind Hono.

import Fastify from 'fastify'
import { BODY_BYTES_MAX, checkBody } from './door.mjs'
import { Refusal } from './errors.mjs'

export async function serveFastify(door, port) {
  const app = Fastify({ logger: false, bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_, body, done) => done(null, body))

  app.get('/health/live', () => ({ success: true, data: { status: 'ok' } }))

  app.get('/api/products/:id', (request, reply) =>
    send(reply, door.product(asking(request), request.params.id)),
  )

  app.get('/api/stores/:store/products', (request, reply) =>
    send(reply, door.products(asking(request), request.params.store, request.query)),
  )

  app.post('/api/stores/:store/orders', (request, reply) => {
    const ask = asking(request)
    checkBody(ask)
    return send(reply, door.place(ask, request.params.store, request.body ?? ''))
  })

  app.setNotFoundHandler((request, reply) =>
    send(reply, door.refuse(asking(request), new Refusal(404, 'NOT_FOUND'))),
  )
  app.setErrorHandler((error, request, reply) =>
    send(reply, door.refuse(asking(request), refusalOf(error))),
  )

  await app.listen({ host: '127.0.0.1', port })
  return () => app.close()
}

const asking = (request) => ({
  header: (name) => request.headers[name],
  address: request.ip,
  path: request.url.split('?', 1)[0],
  url: request.url,
})

function send(reply, answer) {
  if (answer instanceof Promise) return answer.then((found) => send(reply, found))
  reply.code(answer.status).headers(answer.headers)
  return reply.send(answer.body ?? undefined)
}

// Fastify refuses large bodies itself, before the route is asked.
function refusalOf(error) {
  return error.statusCode === 413 ? new Refusal(413, 'PAYLOAD_TOO_LARGE') : error
}
