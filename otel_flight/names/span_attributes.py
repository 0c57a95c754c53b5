"""The names of attributes and events of the application's own spans that findings look for.

The semantic conventions gave some of them other names over the years: a tuple has all of them, the
present one first.
"""

from __future__ import annotations

from typing import Final

SERVICE_NAME: Final = "service.name"
"""A resource has the name of its service here."""

EXCEPTION_EVENT: Final = "exception"
"""A span's event of this name is an exception that it recorded."""
ERROR_TYPE: Final = "error.type"
"""A span that failed has the class of its error here."""

HTTP_STATUS_CODES: Final = ("http.response.status_code", "http.status_code")
"""A call by HTTP has the number of its answer's status here."""
GRPC_STATUS_CODE: Final = "rpc.grpc.status_code"
"""A call by gRPC has the number of its answer's status here."""
RPC_STATUS_CODES: Final = (
    "rpc.response.status_code",
    GRPC_STATUS_CODE,
    "rpc.connect_rpc.error_code",
)
"""A remote call has its answer's status here, as a number or a name."""
RPC_SYSTEMS: Final = ("rpc.system.name", "rpc.system")
"""A remote call has its kind here, such as `grpc`."""
DATABASE_STATUS_CODE: Final = "db.response.status_code"
"""A call of a database has the code of its answer here: a SQLSTATE, the first word of an error."""

ASGI_EVENT_TYPE: Final = "asgi.event.type"
"""The instrumentation of ASGI makes a span of each message between server and application, and says
here which message it was."""
ASGI_DISCONNECT: Final = "http.disconnect"
"""The message by which an ASGI server says that its client left, or has the whole response."""
ASGI_RESPONSE_PREFIX: Final = "http.response"
"""The types of the messages that make up a response begin with this."""

URL_SCHEMES: Final = ("url.scheme", "http.scheme")
"""A request has the scheme of its URL here; `ws` is that of a websocket."""
RESPONSE_CONTENT_TYPE: Final = "http.response.header.content_type"
"""A request has the type of its answer here, where the instrumentation is told to keep it."""
MESSAGING_OPERATIONS: Final = (
    "messaging.operation.type",
    "messaging.operation.name",
    "messaging.operation",
)
"""What is done with messages, such as `receive` or `process`."""

PEER_SERVICES: Final = ("peer.service", "rpc.service")
"""A call has the name of the service that it asked here."""
PEER_HOSTS: Final = ("server.address", "net.peer.name")
"""A call has the host that it asked here."""
PEER_PORTS: Final = ("server.port", "net.peer.port")
"""A call has the port that it asked here."""
URLS: Final = ("url.full", "http.url")
"""A call by HTTP has its whole URL here."""
SYSTEMS: Final = ("db.system.name", "db.system", "messaging.system")
"""A call of a database or a queue has its product here."""
NAMESPACES: Final = ("db.namespace", "db.name", "messaging.destination.name")
"""A call of a database or a queue has what of it was asked here: a database, a topic."""
