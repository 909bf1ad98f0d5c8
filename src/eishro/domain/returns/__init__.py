"""Returns: goods that come back, and what is sent in their place.

    requested -> approved -> received -> closed
        |
    rejected

A return names lines of one order with quantities; those of all returns that were not rejected
never exceed what was bought. When the goods are there, each line is restocked or written off, and
what the buyer gets back for them is fixed. `closed` says that this was settled. An exchange is a
return whose approval places another order.
"""
