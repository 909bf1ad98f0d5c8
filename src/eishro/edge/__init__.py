"""The edge profile: the same domain, flows, SQL and routes as a Cloudflare Python Worker.

`worker.py` puts it together on D1, KV and R2; `runtime.py` alone speaks with JavaScript, so every
other module can be imported and tested anywhere. Deployment files are in `edge/`, the guide is
`docs/guide/cloudflare.md`, the reasons are in `docs/decisions/0007-edge-profile.md`.
"""
