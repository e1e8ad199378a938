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


def visible(text: str, but: str = "") -> str:
    """Text for a terminal: what cannot be seen, which a file's name can hold and a terminal obeys, is replaced.

    ``but`` are characters that stay all the same.
    """
    return "".join(sign if sign.isprintable() or sign in but else "\N{REPLACEMENT CHARACTER}" for sign in text)
