"""What a process does about stored news beside its requests: how much of it at once.

Notifications may come by the thousand in a second. Each is stored before it is answered; what
follows (asking the gateway, paying the order) waits here for its turn, so that those who read or
order do not wait for it. What finds the room full is left to the sweep: nothing is lost by that.
A gateway that sends news and then does not answer never fills the room alone.
"""

from collections import Counter

from eishro.flows.spare_time import Turns

TURNS_AT_ONCE = 8  # pieces of news at the database, so that one disk sync serves several
IN_HAND_MAX = 5_000  # pieces of news that a process has taken on
IN_HAND_OF_ONE_MAX = 4_000  # of them from one gateway
PAUSE_SECONDS_MIN = 0.001
PAUSE_SECONDS_MAX = 0.05  # so twenty turns a second begin however much there is to answer


class NewsRoom:
    """The pieces of news that this process has in hand, and whose turn it is."""

    def __init__(self) -> None:
        self._in_hand: dict[str, str] = {}  # whose news it is
        self._count_of = Counter[str]()
        turns = Turns(TURNS_AT_ONCE, PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX)
        self.turn = turns.turn

    def take(self, news_id: str, provider: str) -> bool:
        """Take it on; False where somebody here has it, or there is no room."""
        if news_id in self._in_hand or len(self._in_hand) >= IN_HAND_MAX:
            return False
        if self._count_of[provider] >= IN_HAND_OF_ONE_MAX:
            return False
        self._in_hand[news_id] = provider
        self._count_of[provider] += 1
        return True

    def count_of(self, provider: str) -> int:
        """How many of the gateway's are in hand."""
        return self._count_of[provider]

    def let_go(self, news_id: str) -> None:
        """It is worked off, or left to the sweep."""
        self._count_of[self._in_hand.pop(news_id)] -= 1
