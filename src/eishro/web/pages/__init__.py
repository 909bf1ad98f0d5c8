"""The few HTML pages this backend shows itself: hosted payment, API docs, sandbox, messages.

Each module renders one page to bytes from plain values; nothing here reads the database or
knows a request. Templates escape everything; pages ask for nothing outside this server except
the payment gateway's own script.
"""
