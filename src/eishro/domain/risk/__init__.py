"""Risk: which orders people should look at before they are confirmed, and why.

    placed or paid -> signals (counts, amounts) -> findings -> allow | review | refuse

    review:  open -> approved   the order goes on
                  -> rejected   the order is cancelled
                  -> closed     the order was cancelled or expired meanwhile

Rules are data of each store (`model.RiskRules`); what they found is kept with its numbers, so that
every decision can be explained. Who is counted is named by a keyed hash alone.
"""
