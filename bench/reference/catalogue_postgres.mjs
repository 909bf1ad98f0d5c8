// Products for the public from PostgreSQL: the same reads as catalogue.mjs. What does not depend
// on an earlier answer is sent together.

import { notFound } from './errors.mjs'
import { DIGITS, ORDERS, pageView, readQuery, view } from './views.mjs'

export function openCatalogue(sql) {
  const columns = sql`p.id, p.store_id, p.name, p.name_en, p.description, p.description_en,
    p.price_dirhams, p.compare_at_dirhams, p.images, p.sizes, p.colors, p.sells, p.status,
    p.weight_grams, p.created_at, p.updated_at`

  async function product(text) {
    if (!DIGITS.test(text)) throw notFound()
    const id = Number(text)
    const [[row], variants, categories] = await Promise.all([
      sql`SELECT ${columns} FROM products p JOIN stores s ON s.id = p.store_id
        WHERE p.id = ${id} AND p.status = 'active' AND s.is_active = 1`,
      sql`SELECT v.id, v.sku, v.options, v.price_dirhams, v.weight_grams, s.available
        FROM variants v LEFT JOIN stock s ON s.variant_id = v.id
        WHERE v.product_id = ${id} AND v.is_active = 1 ORDER BY v.position, v.id`,
      sql`SELECT c.id, c.slug, c.name, c.name_en AS "nameEn"
        FROM product_categories pc JOIN categories c ON c.id = pc.category_id
        WHERE pc.product_id = ${id} ORDER BY pc.position`,
    ])
    if (row === undefined) throw notFound()
    return view(row, variants, categories)
  }

  async function products(storeText, query) {
    const wanted = readQuery(query)
    const { page, limit, sort } = wanted
    const [store] = DIGITS.test(storeText)
      ? await sql`SELECT id FROM stores WHERE id = ${Number(storeText)} AND is_active = 1`
      : await sql`SELECT id FROM stores WHERE slug = ${storeText} AND is_active = 1`
    if (store === undefined) throw notFound()
    const [rows, [{ total }]] = await Promise.all([
      sql`SELECT ${columns} FROM products p
        WHERE p.status = 'active' AND p.store_id = ${store.id}
        ORDER BY ${sql.unsafe(ORDERS[sort])} LIMIT ${limit} OFFSET ${(page - 1) * limit}`,
      sql`SELECT count(*) AS total FROM products
        WHERE status = 'active' AND store_id = ${store.id}`,
    ])
    const ids = rows.map((row) => row.id)
    const [variants, categories] = await Promise.all([
      sql`SELECT v.product_id, v.id, v.sku, v.options, v.price_dirhams, v.weight_grams,
          s.available
        FROM variants v LEFT JOIN stock s ON s.variant_id = v.id
        WHERE v.product_id = ANY(${ids}::bigint[]) AND v.is_active = 1
        ORDER BY v.product_id, v.position, v.id`,
      sql`SELECT pc.product_id, c.id, c.slug, c.name, c.name_en
        FROM product_categories pc JOIN categories c ON c.id = pc.category_id
        WHERE pc.product_id = ANY(${ids}::bigint[])
        ORDER BY pc.product_id, pc.position`,
    ])
    return pageView(rows, variants, categories, total, wanted)
  }

  return { product, products }
}
