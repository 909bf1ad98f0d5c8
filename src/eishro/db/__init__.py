"""How rows are kept: the database port, its engines, column types, queue and migrations.

State changes only through guarded batches: read, decide, commit one `Batch` (see
`docs/decisions/0001-guarded-batches.md`).
"""
