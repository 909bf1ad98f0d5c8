"""Real servers for the tests, started on free loopback ports and stopped by whoever started them.

Each class has a `url`, `start()` (also after `kill()`, on the same port with the same files),
`kill()` for tests of sudden death, and `stop()`, which also removes its folder.
"""
