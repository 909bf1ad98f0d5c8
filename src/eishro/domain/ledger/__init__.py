"""The money ledger: double entry in dirhams, append-only, per store.

Every transaction's entries sum to zero. A positive entry is a debit. Accounts:

    receivable            what buyers owe for placed orders
    sales, delivery       what stores earned by orders (credits), sales net of discounts
    clearing:<provider>   money that the platform's account at a gateway holds for the store
    suspense              money that came and that no order waits for (credit)
    refunds_due           money owed back to buyers, until it has left (credit)
    courier:<carrier>     cash of orders in a courier's hands
    cash                  money that reached the merchant directly, or left that way
    courier_fees          what couriers kept of the cash they brought
    cod_short             cash that is missing, or too much (a credit), by decision
    commission            the platform's share of sales, an expense of the store
    platform_fees         that share as owed to the platform (credit)
    own:<provider>        money at a gateway account of the store's own: never owed to it
    payouts, bank         money paid out to the merchant: against the clearing accounts, and where
                          it went

What the platform owes a store is `clearing:*` + suspense + refunds_due + platform_fees + payouts.
Cash on delivery never passes the platform. A refund after a payout may make the sum negative; the
next payout absorbs it.
"""
