"""Batches of applications that wait to be decided, and what became of each row.

No entry is touched.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

MOMENT = sa.Integer().with_variant(sa.BigInteger, "postgresql")


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "batch",
        sa.Column("number", MOMENT, primary_key=True, autoincrement=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("batch_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("received_at", sa.String(32), nullable=False),
        sa.Column("ended_at", sa.String(32), nullable=False),
        sa.Column("n_rows", sa.Integer, nullable=False),
        sa.Column("next_row", sa.Integer, nullable=False),
        sa.Column("n_approve", sa.Integer, nullable=False),
        sa.Column("n_refer", sa.Integer, nullable=False),
        sa.Column("n_decline", sa.Integer, nullable=False),
        sa.Column("n_refused", sa.Integer, nullable=False),
        sa.Column("touched", MOMENT, nullable=False),
        sa.Column("leased_by", sa.String(32), nullable=False),
        sa.Column("leased_until", MOMENT, nullable=False),
        sa.Column("key_version", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("batch_client", "batch", ["client", "batch_id"], unique=True)
    op.create_index("batch_turn", "batch", ["state", "touched"])
    op.create_table(
        "batch_row",
        sa.Column("number", MOMENT, primary_key=True, autoincrement=False),
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("batch_row_person", "batch_row", ["number", "person"])


def downgrade() -> None:
    """Drop them: rows that were not decided yet have to be sent again; decisions stay."""
    op.drop_table("batch_row")
    op.drop_table("batch")
