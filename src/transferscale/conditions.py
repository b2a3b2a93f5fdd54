"""What column ``condition`` of predictions says where labels are permuted, so that no such row passes for a result."""

CLEAN, PERMUTED = "clean", "permuted"


def permuted(condition: str) -> str:
    """A condition where labels are permuted.

    >>> permuted("clean"), permuted("noise")
    ('permuted', 'permuted:noise')
    """
    return PERMUTED if condition == CLEAN else f"{PERMUTED}:{condition}"


def plain(condition: str) -> str:
    """A condition without what says that labels are permuted: the inverse of :func:`permuted`, and else as it is.

    >>> plain("permuted"), plain("permuted:noise"), plain("noise")
    ('clean', 'noise', 'noise')
    """
    return CLEAN if condition == PERMUTED else condition.removeprefix(f"{PERMUTED}:")
