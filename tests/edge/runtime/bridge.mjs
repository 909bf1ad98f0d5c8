// The Worker in workerd that the host's D1 and R2 objects stand for: it runs what they are asked.
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    return url.pathname === "/d1" ? runD1(await request.json(), env) : runR2(request, url, env);
  },
};

async function runD1({ database, bookmark, statements, isBatch }, env) {
  try {
    const db = bookmark === null ? env[database] : env[database].withSession(bookmark);
    const bound = statements.map(([sql, values]) => db.prepare(sql).bind(...values));
    const rows = isBatch ? await db.batch(bound) : await bound[0].raw();
    return Response.json({ rows, bookmark: bookmark === null ? null : db.getBookmark() });
  } catch (error) {
    return Response.json({ error: String(error.message) });
  }
}

async function runR2(request, url, env) {
  const { action, key, ...options } = JSON.parse(decodeURIComponent(url.search.slice(1)));
  try {
    if (action === "put") await env.FILES.put(key, await request.arrayBuffer(), options);
    if (action === "delete") await env.FILES.delete(key);
    if (action === "list") {
      const { objects, truncated, cursor } = await env.FILES.list(options);
      return Response.json({ objects: objects.map(({ key }) => ({ key })), truncated, cursor });
    }
    if (action === "get") {
      const found = await env.FILES.get(key);
      const about = found && { etag: found.etag, httpMetadata: found.httpMetadata };
      return new Response(found?.body, { headers: { found: JSON.stringify(about) } });
    }
    return new Response(null);
  } catch (error) {
    return new Response(String(error.message), { status: 500 });
  }
}
