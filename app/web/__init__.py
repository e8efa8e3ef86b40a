"""The outside, on Starlette: sockets, objects over HTTP, health, access."""
