"""Give each kind of connection its application: HTTP to Django, WebSockets to the voice app."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "courier.settings")
_http = get_asgi_application()  # first: it loads the apps that the rest imports

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from voice.routing import websocket_urlpatterns  # noqa: E402

_sockets = URLRouter(websocket_urlpatterns)  # type: ignore[arg-type] # the stubs know no consumer in `path`
# Nothing is wrapped around all sockets: the telephone sends no cookie, and our own host as origin.
application = ProtocolTypeRouter({"http": _http, "websocket": _sockets})
