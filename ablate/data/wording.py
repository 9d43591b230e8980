"""Numbers in sentences."""


def counted(number: int, what: str) -> str:
    """``1 image`` or ``2 images``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
