"""Checkpoints and tree, human decisions, erasures, holders of keys, and what is kept for a day.

Every decision stays as it is, up and down.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ONE_EACH = ("review", "override")  # of a decision; the database decides who was first
HUMAN = "kind IN ('review', 'override', 'dispute')"


def upgrade() -> None:
    """Create the tables and indexes, and the columns of keys that people hold."""
    for kind in ONE_EACH:
        only = sa.text(f"kind = '{kind}'")
        op.create_index(
            f"entry_one_{kind}", "entry", ["client", "application_id"], unique=True,
            sqlite_where=only, postgresql_where=only,
        )  # fmt: skip
    human = sa.text(HUMAN)
    op.create_index(
        "entry_human", "entry", ["client", "application_id", "sequence"],
        sqlite_where=human, postgresql_where=human,
    )  # fmt: skip
    erasure = sa.text("kind = 'erasure'")
    op.create_index(
        "entry_erasure", "entry", ["application_id"],
        sqlite_where=erasure, postgresql_where=erasure,
    )  # fmt: skip
    op.create_table(
        "tile",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "nonce",
        sa.Column("key_id", sa.String(64), primary_key=True),
        sa.Column("nonce", sa.String(128), primary_key=True),
        sa.Column("expires_at", sa.String(32), nullable=False, index=True),
    )
    op.create_table(
        "variant",
        sa.Column("client", sa.String(64), primary_key=True),
        sa.Column("person", sa.String(96), primary_key=True),
        sa.Column("mark", sa.String(96), primary_key=True),
        sa.Column("at", sa.String(32), nullable=False, index=True),
    )
    with op.batch_alter_table("client_key") as keys:
        keys.add_column(sa.Column("holder", sa.String(64), nullable=False, server_default=""))
        keys.add_column(sa.Column("algorithm", sa.String(32), nullable=False, server_default=""))
        keys.add_column(sa.Column("public_key", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Drop them: checkpoints kept elsewhere still verify, and no entry is touched."""
    with op.batch_alter_table("client_key") as keys:
        for name in ("public_key", "algorithm", "holder"):
            keys.drop_column(name)
    for table in ("variant", "nonce", "checkpoint", "tile"):
        op.drop_table(table)
    for name in ("entry_erasure", "entry_human", *(f"entry_one_{kind}" for kind in ONE_EACH)):
        op.drop_index(name, "entry")
