"""The engine: one live object, its events, its gates, its storage and its sockets."""
