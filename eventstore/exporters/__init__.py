"""Conversations as pages that people read: Markdown, HTML and JSON, with all their branches."""

from eventstore.exporters.formats import ExportFormat, exported

__all__ = ["ExportFormat", "exported"]
