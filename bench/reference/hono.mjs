// The reference's routes on Hono, served by @hono/node-server on Node and by Bun.serve on Bun.

import { Hono } from 'hono'
import { BODY_BYTES_MAX, checkBody } from './door.mjs'
import { Refusal } from './errors.mjs'

export async function serveHono(door, port) {
  const bun = process.versions.bun !== undefined
  const { getConnInfo } = await import(bun ? 'hono/bun' : '@hono/node-server/conninfo')
  const app = new Hono()

  app.get('/health/live', (c) => c.json({ success: true, data: { status: 'ok' } }))

  app.get('/api/products/:id', (c) => send(c, door.product(asking(c), c.req.param('id'))))

  app.get('/api/stores/:store/products', (c) =>
    send(c, door.products(asking(c), c.req.param('store'), c.req.query())),
  )

  app.post('/api/stores/:store/orders', async (c) => {
    const ask = asking(c)
    checkBody(ask)
    const text = await c.req.text()
    if (text.length > BODY_BYTES_MAX) throw new Refusal(413, 'PAYLOAD_TOO_LARGE')
    return send(c, door.place(ask, c.req.param('store'), text))
  })

  app.notFound((c) => send(c, door.refuse(asking(c), new Refusal(404, 'NOT_FOUND'))))
  app.onError((error, c) => send(c, door.refuse(asking(c), error)))

  const asking = (c) => ({
    header: (name) => c.req.header(name),
    address: getConnInfo(c).remote.address ?? '',
    path: c.req.path,
    url: c.req.url,
  })

  return bun ? serveOnBun(app, port) : serveOnNode(app, port)
}

const send = (c, answer) =>
  answer instanceof Promise
    ? answer.then((found) => c.body(found.body, found.status, found.headers))
    : c.body(answer.body, answer.status, answer.headers)

function serveOnBun(app, port) {
  const server = Bun.serve({ fetch: app.fetch, hostname: '127.0.0.1', port })
  return () => server.stop(true)
}

async function serveOnNode(app, port) {
  const { serve } = await import('@hono/node-server')
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port })
  return () =>
    new Promise((done) => {
      server.close(done)
      server.closeAllConnections()
    })
}
