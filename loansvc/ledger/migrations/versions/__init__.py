"""How the ledger's tables come about and change (Alembic)."""
