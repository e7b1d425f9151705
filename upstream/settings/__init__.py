"""Settings: `dev` to work with, `test` for pytest, `production` for a server; `base` is what they share."""
