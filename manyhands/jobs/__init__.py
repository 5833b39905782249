"""Work that outlives the request that asked for it: kept in SQLite, owned by a process.

Read `runner.py` first; `store.py` is the table behind it.
"""
