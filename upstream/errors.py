"""What callers of the product tell apart."""


class Permanent(Exception):
    """What will not go better another time: a job that fails by it is given up at once."""


class Later(Exception):
    """What may go better, but not before so many seconds (`again_in`) have passed."""

    def __init__(self, told: str, again_in: float = 0.0) -> None:
        super().__init__(told)
        self.again_in = again_in
