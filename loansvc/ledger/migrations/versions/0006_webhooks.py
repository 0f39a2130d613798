"""Endpoints of clients that are told what happened, their secrets, and the outbox of messages.

No entry is touched.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MOMENT = sa.Integer().with_variant(sa.BigInteger, "postgresql")


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "endpoint",
        sa.Column("endpoint_id", sa.String(16), primary_key=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.String(128), nullable=False),
        sa.Column("added_at", sa.String(32), nullable=False),
        sa.Column("disabled_at", sa.String(32), nullable=False),
    )
    op.create_index("endpoint_url", "endpoint", ["client", "url"], unique=True)
    op.create_table(
        "endpoint_secret",
        sa.Column("endpoint_id", sa.String(16), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("expires_at", sa.String(32), nullable=False),
        sa.Column("key_version", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.String(68), primary_key=True),
        sa.Column("endpoint_id", sa.String(16), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("due", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("answer", sa.String(32), nullable=False),
        sa.Column("ended_at", sa.String(32), nullable=False),
        sa.Column("leased_by", sa.String(32), nullable=False),
        sa.Column("leased_until", MOMENT, nullable=False),
    )
    op.create_index("outbox_due", "outbox", ["endpoint_id", "state", "due"])
    op.create_index("outbox_ended", "outbox", ["state", "ended_at"])


def downgrade() -> None:
    """Drop them: what was not sent yet never is, and endpoints have to be added again."""
    op.drop_table("outbox")
    op.drop_table("endpoint_secret")
    op.drop_table("endpoint")
