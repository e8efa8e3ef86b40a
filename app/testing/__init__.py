"""Shipped twins: what you need to test your own objects without Postgres, sockets or waiting."""
