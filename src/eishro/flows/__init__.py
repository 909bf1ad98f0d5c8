"""What happens: one file for each verb that crosses nouns or leaves the house.

A flow reads what it needs, decides with pure functions, and commits one guarded batch. Nothing
is locked while it thinks or waits. `Stale` means somebody was faster: it starts again.
"""
