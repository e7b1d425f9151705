"""An app with models of every sort, for tests of what is written."""
