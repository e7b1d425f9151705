"""What callers of the product tell apart."""


class Permanent(Exception):
    """What will not go better another time: a job that fails by it is given up at once."""
