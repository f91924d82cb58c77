"""The faces as `fairwatt up` serves them, for people whose passwords were made cheaply.

A server that hashes at full cost makes a cheap password anew at the first sign-in, which ends all other sessions.
"""

from fairwatt.server.asgi import application
from support.house import hash_cheaply

__all__ = ["application"]

hash_cheaply()
