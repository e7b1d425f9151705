"""An app that starts the export port."""
