"""Alembic's entry: runs on the connection that the ledger passes in."""

from alembic import context

from loansvc.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
