"""The built-in TinyBase sync server: a pure protocol core and, on top of it, an object class.

Everything but the object class is sans-I/O: input by method call, output by return value, no
clock and no chance of its own. Sections named in docstrings are those of the protocol's
description (reference: tinybase-sync).
"""
