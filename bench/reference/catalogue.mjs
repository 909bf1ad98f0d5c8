// Products for the public from SQLite: one by id, and pages of a store's list with the total.
// Every statement is prepared once; nothing is cached between requests.

import { notFound } from './errors.mjs'
import { DIGITS, ORDERS, pageView, readQuery, view } from './views.mjs'

const PRODUCT_COLUMNS = `p.id, p.store_id, p.name, p.name_en, p.description, p.description_en,
  p.price_dirhams, p.compare_at_dirhams, p.images, p.sizes, p.colors, p.sells, p.status,
  p.weight_grams, p.created_at, p.updated_at`

export function openCatalogue(db) {
  const oneProduct = db.prepare(`SELECT ${PRODUCT_COLUMNS} FROM products p
    JOIN stores s ON s.id = p.store_id
    WHERE p.id = ? AND p.status = 'active' AND s.is_active = 1`)
  const variantsOf = db.prepare(`SELECT v.id, v.sku, v.options, v.price_dirhams,
      v.weight_grams, s.available
    FROM variants v LEFT JOIN stock s ON s.variant_id = v.id
    WHERE v.product_id = ? AND v.is_active = 1 ORDER BY v.position, v.id`)
  const categoriesOf = db.prepare(`SELECT c.id, c.slug, c.name, c.name_en AS nameEn
    FROM product_categories pc JOIN categories c ON c.id = pc.category_id
    WHERE pc.product_id = ? ORDER BY pc.position`)
  const storeById = db.prepare('SELECT id FROM stores WHERE id = ? AND is_active = 1')
  const storeBySlug = db.prepare('SELECT id FROM stores WHERE slug = ? AND is_active = 1')
  const pages = Object.fromEntries(
    Object.entries(ORDERS).map(([sort, order]) => [
      sort,
      db.prepare(`SELECT ${PRODUCT_COLUMNS} FROM products p
        WHERE p.status = 'active' AND p.store_id = ? ORDER BY ${order} LIMIT ? OFFSET ?`),
    ]),
  )
  const count = db.prepare(`SELECT count(*) AS total FROM products
    WHERE status = 'active' AND store_id = ?`)
  const variantsOfAll = db.prepare(`SELECT v.product_id, v.id, v.sku, v.options,
      v.price_dirhams, v.weight_grams, s.available
    FROM variants v LEFT JOIN stock s ON s.variant_id = v.id
    WHERE v.product_id IN (SELECT value FROM json_each(?)) AND v.is_active = 1
    ORDER BY v.product_id, v.position, v.id`)
  const categoriesOfAll = db.prepare(`SELECT pc.product_id, c.id, c.slug, c.name, c.name_en
    FROM product_categories pc JOIN categories c ON c.id = pc.category_id
    WHERE pc.product_id IN (SELECT value FROM json_each(?))
    ORDER BY pc.product_id, pc.position`)

  function product(text) {
    const row = DIGITS.test(text) ? oneProduct.get(Number(text)) : undefined
    if (row === undefined) throw notFound()
    return view(row, variantsOf.all(row.id), categoriesOf.all(row.id))
  }

  function products(storeText, query) {
    const store = DIGITS.test(storeText)
      ? storeById.get(Number(storeText))
      : storeBySlug.get(storeText)
    if (store === undefined) throw notFound()
    const wanted = readQuery(query)
    const { page, limit, sort } = wanted
    const rows = pages[sort].all(store.id, limit, (page - 1) * limit)
    const ids = JSON.stringify(rows.map((row) => row.id))
    const total = count.get(store.id).total
    return pageView(rows, variantsOfAll.all(ids), categoriesOfAll.all(ids), total, wanted)
  }

  return { product, products }
}
