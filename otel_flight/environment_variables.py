"""The names of our environment variables, for ``opentelemetry-instrument``.

It makes a command line flag of each, such as ``--flight_window``, through the plugin group
``opentelemetry_environment_variables``: of every attribute of this module that begins with
``OTEL_``. They are computed from the settings.
"""

from __future__ import annotations

from otel_flight.assembly import Settings
from otel_flight.settings.declaration import settings_in

__all__ = sorted(setting.variable for setting in settings_in(Settings))  # noqa: PLE0605

globals().update({name: name for name in __all__})
