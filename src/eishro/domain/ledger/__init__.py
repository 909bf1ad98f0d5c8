"""The money ledger: double entry in dirhams, append-only, per store.

Every transaction's entries sum to zero. A positive entry is a debit. Accounts:

    receivable            what buyers owe for placed orders
    sales, delivery       what stores earned by orders (credits)
    clearing:<provider>   money a gateway holds for the store
    suspense              money that came and that no order waits for
    courier:<carrier>     cash on delivery in a courier's hands
    cash                  cash that reached the merchant directly
    courier_fees          what couriers kept of what they collected
    cod_short             cash that is missing (or too much, a credit) by decision
    refunds_due           money to be given back for cancelled, paid orders
"""
