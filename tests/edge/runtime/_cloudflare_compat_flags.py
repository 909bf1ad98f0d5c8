"""The platform's compatibility flags, as the `workers` SDK asks for them: all off."""


def __getattr__(_: str) -> bool:
    return False
