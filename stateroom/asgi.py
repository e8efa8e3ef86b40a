"""Stateroom as an ASGI application, for people who embed it in a server of their own."""

from app.main import create_app
from app.settings import Settings, load_settings

__all__ = ["Settings", "create_app", "load_settings"]
