"""Numbers that only grow, without a database."""

import asyncio


class MemoryStamps:
    """The port `Stamps`; `last` is the number given last, by name."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    async def next(self, name: str, at_least: int) -> int:
        await asyncio.sleep(0)  # as a database would
        self.last[name] = max(at_least, self.last.get(name, at_least - 1) + 1)
        return self.last[name]
