"""Plug-ins: services that describe themselves with OpenAPI 3. An extra: ``[plugins]``."""

from eventstore.engine.tools.plugins.description import Auth
from eventstore.engine.tools.plugins.plugin import Credentials, Plugin, PluginCall
from eventstore.engine.tools.plugins.search import quark_search

__all__ = ["Auth", "Credentials", "Plugin", "PluginCall", "quark_search"]
