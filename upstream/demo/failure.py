"""What stops the demo."""


class DemoFailed(Exception):
    """A step did not come out as it should; the message names the step."""
