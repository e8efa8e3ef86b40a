"""Stateroom as an ASGI application, for people who embed it in a server of their own."""

from app.main import create_app

__all__ = ["create_app"]
