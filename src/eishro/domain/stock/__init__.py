"""Stock: how many pieces of each variant can be sold.

    available --hold--> held --consume--> sold        hold is undone by release

`available` None means untracked: it never runs out, holds are still counted. Every change has
a movement, so that available + held + sold equals what was ever received.
"""
