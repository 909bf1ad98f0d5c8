"""The money ledger: double entry in dirhams, append-only, per store.

Every transaction's entries sum to zero. A positive entry is a debit. Accounts:

    receivable            what buyers owe for placed orders
    sales, delivery       what stores earned by orders (credits)
    clearing:<provider>   money a gateway holds for the store
    suspense              money that came and that no order waits for
    refunds_due           money to be given back for cancelled, paid orders
"""
