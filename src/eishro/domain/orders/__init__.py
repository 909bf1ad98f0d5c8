"""Orders: what a buyer asked for and what became of it.

    pending -> confirmed -> processing -> shipped -> delivered
       |           |            |            |           |
       +-----------+------------+            +-----------+
             cancelled                          returned

The order's own status, its payment status and its fulfilment status are three separate states.
Stock is held while an order is alive and unshipped; a paid order confirms itself; an unpaid
online order expires (`cancelled`, reason `expired`).
"""
