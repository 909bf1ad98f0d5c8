"""The HTTP/1.1 server: an ASGI application on sockets, in the event loop's own thread."""
