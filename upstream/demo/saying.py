"""What the demo tells whoever watches it."""


def step(what: str) -> None:
    """A heading: what is done now."""
    say(f"\n== {what}")


def say(text: str) -> None:
    """One line, at once."""
    print(text, flush=True)  # noqa: T201
