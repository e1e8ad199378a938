"""What text from outside may be."""


def is_id(text: str) -> bool:
    """Whether text is a whole number, of no more digits than an id can have."""
    return text.isascii() and text.isdigit() and len(text) <= 10


def is_text(text: str) -> bool:
    """Whether text can be stored and sent: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
