"""An app that stops a worker in the middle of its work, where a test wants to kill it."""
