"""The WebSocket protocol class of the ASGI server. Everything works without it, too."""
