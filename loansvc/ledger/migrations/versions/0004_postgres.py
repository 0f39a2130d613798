"""Room in PostgreSQL for the ids that SQLite, which minds no length, has taken all along.

The id of a stated capital, `fund_` and a UUID, is one letter longer than the column was. Nothing
changes in SQLite.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Widen the column; no row is rewritten."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("entry", "decision_id", type_=sa.String(64))


def downgrade() -> None:
    """Leave it wide: the ids in it would not fit, and the earlier version reads them as well."""
