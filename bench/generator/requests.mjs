// The requests of each kind of work, as text ready to be sent; the same as the scripts in wrk/.

import { readFileSync } from 'node:fs'

const CUSTOMER = '"customer":{"name":"سالم المبروك","phone":"091'
const BODY_TAIL =
  '"shipping":{"city":"طرابلس","area":"حي الأندلس","address":"شارع الجمهورية، عمارة 12"},' +
  '"payment":{"method":"cod"}}'
const HOST = 'Host: 127.0.0.1\r\n'

// A source of requests. `given` holds products, stores, seed and run (the front of the keys), for
// logins emails and password, for revalidation tags: pairs of a product's id and its tag; for
// prepared requests the file that holds them, each sent once, in its order.
export function openRequests(work, given) {
  const dice = openDice(given.seed)
  const below = (limit) => Math.floor(dice() * limit)
  let turn = 0
  const product = () => read(`/api/products/${1 + below(given.products)}`)
  const list = () => read(`/api/stores/${1 + below(given.stores)}/products?limit=20`)
  const order = openOrders(given, below)
  const prepared = work === 'prepared' ? JSON.parse(readFileSync(given.file)) : []
  const makers = {
    product,
    list,
    order,
    hot_product: product,
    hot_list: list,
    mixed: () => {
      const share = below(100)
      return share < 70 ? product() : share < 90 ? list() : order()
    },
    revalidate: () => {
      const [id, tag] = given.tags[below(given.tags.length)]
      return read(`/api/products/${id}`, `If-None-Match: ${tag}\r\n`)
    },
    login: () => {
      const email = given.emails[turn++ % given.emails.length] // nobody signs in six times at once
      return write('/api/auth/login', JSON.stringify({ email, password: given.password }))
    },
    prepared: () => prepared[turn++],
  }
  return makers[work]
}

const read = (path, headers = '') => `GET ${path} HTTP/1.1\r\n${HOST}${headers}\r\n`

function write(path, body, headers = '') {
  const length = Buffer.byteLength(body)
  return (
    `POST ${path} HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n` +
    `Content-Length: ${length}\r\n${headers}\r\n${body}`
  )
}

// Three different products of one store, one from each third of its goods.
function openOrders({ products, stores, run }, below) {
  const third = Math.floor(products / stores / 3)
  let sent = 0
  return () => {
    const store = 1 + below(stores)
    const items = [0, 1, 2].map((part) => {
      const productId = store + stores * (part * third + below(third))
      const variantId = productId * 4 - below(4)
      return `{"productId":${productId},"variantId":${variantId},"quantity":${1 + below(3)}}`
    })
    sent += 1
    const phone = String(below(10_000_000)).padStart(7, '0') // one buyer may hold few orders
    const body = `{"items":[${items.join(',')}],${CUSTOMER}${phone}"},${BODY_TAIL}`
    return write(`/api/stores/${store}/orders`, body, `Idempotency-Key: ${run}-${sent}\r\n`)
  }
}

// Numbers from 0 to 1, the same for the same seed (mulberry32).
function openDice(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
