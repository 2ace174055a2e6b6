"""What needs a real PostgreSQL server; `conftest.py` starts one of each installed major version."""
