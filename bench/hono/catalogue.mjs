// Products for the public: one by id, and pages of a store's list with the total. Every statement
// is prepared once; nothing is cached between requests.

import { invalid, notFound } from './errors.mjs'

const PRODUCT_COLUMNS = `p.id, p.store_id, p.name, p.name_en, p.description, p.description_en,
  p.price_dirhams, p.compare_at_dirhams, p.images, p.sizes, p.colors, p.sells, p.status,
  p.created_at, p.updated_at`
const ORDERS = {
  '-createdAt': 'p.id DESC',
  price: 'p.price_dirhams, p.id',
  '-price': 'p.price_dirhams DESC, p.id DESC',
  name: 'p.name, p.id',
}
const DIGITS = /^[0-9]{1,15}$/
const NONE = []

export function openCatalogue(db) {
  const oneProduct = db.prepare(`SELECT ${PRODUCT_COLUMNS} FROM products p
    JOIN stores s ON s.id = p.store_id
    WHERE p.id = ? AND p.status = 'active' AND s.is_active = 1`)
  const variantsOf = db.prepare(`SELECT v.id, v.sku, v.options, v.price_dirhams, s.available
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
  const count = db
    .prepare(`SELECT count(*) FROM products WHERE status = 'active' AND store_id = ?`)
    .pluck()
  const variantsOfAll = db.prepare(`SELECT v.product_id, v.id, v.sku, v.options,
      v.price_dirhams, s.available
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
    const { page, limit, sort } = readQuery(query)
    const rows = pages[sort].all(store.id, limit, (page - 1) * limit)
    const ids = JSON.stringify(rows.map((row) => row.id))
    const variants = byProduct(variantsOfAll.all(ids))
    const categories = byProduct(categoriesOfAll.all(ids))
    const total = count.get(store.id)
    const pagination = { page, limit, total, totalPages: Math.ceil(total / limit) }
    if (rows.length === limit && sort === '-createdAt') {
      pagination.nextCursor = String(rows[rows.length - 1].id)
    }
    return {
      products: rows.map((row) =>
        view(
          row,
          variants.get(row.id) ?? NONE,
          (categories.get(row.id) ?? NONE).map(categoryView),
        ),
      ),
      pagination,
    }
  }

  return { product, products }
}

function byProduct(rows) {
  const grouped = new Map()
  for (const row of rows) {
    const found = grouped.get(row.product_id)
    if (found === undefined) grouped.set(row.product_id, [row])
    else found.push(row)
  }
  return grouped
}

const categoryView = (row) => ({
  id: row.id,
  slug: row.slug,
  name: row.name,
  nameEn: row.name_en,
})

function view(row, variantRows, categories) {
  let inStock = false
  const variants = variantRows.map((v) => {
    const available = row.sells === 1 && (v.available === null || v.available > 0)
    inStock ||= available
    return {
      id: v.id,
      sku: v.sku,
      options: JSON.parse(v.options),
      price: (v.price_dirhams ?? row.price_dirhams) / 1000,
      available,
    }
  })
  return {
    id: row.id,
    storeId: row.store_id,
    name: row.name,
    nameEn: row.name_en,
    description: row.description,
    descriptionEn: row.description_en,
    price: row.price_dirhams / 1000,
    compareAtPrice: row.compare_at_dirhams === null ? null : row.compare_at_dirhams / 1000,
    currency: 'LYD',
    category: categories.length > 0 ? categories[0].name : null,
    categories,
    images: JSON.parse(row.images),
    sizes: JSON.parse(row.sizes),
    colors: JSON.parse(row.colors),
    inStock,
    status: row.status,
    variants,
    createdAt: instant(row.created_at),
    updatedAt: instant(row.updated_at),
  }
}

export const instant = (micros) => new Date(micros / 1000).toISOString()

function readQuery(query) {
  const faults = {}
  const page = integer(query.page ?? '1', 100_000)
  const limit = integer(query.limit ?? '20', 100)
  const sort = query.sort ?? '-createdAt'
  if (page === undefined) faults.page = 'must be a number from 1 to 100000'
  if (limit === undefined) faults.limit = 'must be a number from 1 to 100'
  if (!Object.hasOwn(ORDERS, sort)) faults.sort = `must be one of ${Object.keys(ORDERS).join(', ')}`
  if (Object.keys(faults).length > 0) throw invalid(faults)
  return { page, limit, sort }
}

function integer(text, max) {
  const value = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0
  return value >= 1 && value <= max ? value : undefined
}
