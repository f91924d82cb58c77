"""The ASGI application uvicorn serves: providers' door first, then the pages."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fairwatt.server.settings")
_pages = get_asgi_application()

from fairwatt.web.pay.door import CallbackDoor  # noqa: E402  models need Django first

application = CallbackDoor(_pages)
