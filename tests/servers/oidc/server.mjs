// The OpenID provider of the tests: `oidc-provider` with people that a query names.
//
//   node server.mjs <port> <what it knows, in JSON>
//
// What it knows: {"client": {"id", "secret", "redirect"}, "people": {id: claims}, "inToken"}.
// Its own interaction page is one address: /interaction/:uid?as=<id> signs in and consents at once,
// ?deny refuses.

import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const [port, text] = process.argv.slice(2);
const { client, people, inToken } = JSON.parse(text);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: client.id,
    client_secret: client.secret,
    redirect_uris: [client.redirect],
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }],
  pkce: { required: () => true },
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'given_name', 'family_name'],
  },
  // True is what the specification asks for: addresses come from userinfo, not in the ID token.
  conformIdTokenClaims: !inToken,
  features: { devInteractions: { enabled: false } },
  cookies: { keys: ['a key of the tests'] },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
  findAccount: (_, id) => people[id] && {
    accountId: id,
    claims: () => ({ sub: id, ...people[id] }),
  },
});

async function interact(request, response) {
  const { searchParams } = new URL(request.url, provider.issuer);
  if (searchParams.has('deny')) {
    const refused = { error: 'access_denied', error_description: 'the person said no' };
    await provider.interactionFinished(request, response, refused);
    return;
  }
  const accountId = searchParams.get('as');
  const { params } = await provider.interactionDetails(request, response);
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = { login: { accountId }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result);
}

const answer = provider.callback();
createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) {
    answer(request, response);
    return;
  }
  interact(request, response).catch((fault) => {
    response.statusCode = 500;
    response.end(String(fault));
  });
}).listen(Number(port), '127.0.0.1');
