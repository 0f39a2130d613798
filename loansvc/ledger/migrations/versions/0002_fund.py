"""What the entries add up to: commitments, the guarantee fund's account, related parties.

The tables come empty; the ledger fills them from its entries in the same transaction.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the projection and the index by which the outcomes of a loan are found."""
    only_outcomes = sa.text("kind = 'outcome'")
    op.create_index(
        "entry_outcomes", "entry", ["client", "application_id", "sequence"],
        sqlite_where=only_outcomes, postgresql_where=only_outcomes,
    )  # fmt: skip
    op.create_table(
        "commitment",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("application_id", sa.String(64), nullable=False),
        sa.Column("decision_id", sa.String(40), nullable=False),
        sa.Column("subject_ref", sa.String(32), nullable=False, index=True),
        sa.Column("offered_yuan", sa.BigInteger, nullable=False),
        sa.Column("fund_percent", sa.Integer, nullable=False),
        sa.Column("lapses_at", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outstanding_yuan", sa.BigInteger, nullable=False),
        sa.Column("fund_yuan", sa.BigInteger, nullable=False),
        sa.Column("drawn_yuan", sa.BigInteger, nullable=False),
        sa.Column("drawn_on", sa.String(10), nullable=False),
        sa.Column("balance_on", sa.String(10), nullable=False),
        sa.Column("claims_yuan", sa.BigInteger, nullable=False),
        sa.Column("most_days_past_due", sa.Integer, nullable=False),
        sa.Column("overdue", sa.Integer, nullable=False),
    )
    op.create_index(
        "commitment_application", "commitment", ["client", "application_id"], unique=True
    )
    op.create_index("commitment_lapses", "commitment", ["state", "lapses_at"])
    account = op.create_table(
        "fund_account",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("capital_yuan", sa.BigInteger),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("reserved_yuan", "drawn_yuan", "claims_yuan", "carried_yuan")
        ),
        sa.Column("set_sequence", sa.Integer, nullable=False),
    )
    assert account is not None
    nothing = dict.fromkeys(
        ("reserved_yuan", "drawn_yuan", "claims_yuan", "carried_yuan", "set_sequence"), 0
    )
    op.bulk_insert(account, [{"id": 1, **nothing}])
    op.create_table(
        "related",
        sa.Column("party", sa.String(96), primary_key=True),
        sa.Column("subject_ref", sa.String(32), primary_key=True, index=True),
    )


def downgrade() -> None:
    """Drop the projection: everything in it follows from the entries."""
    for table in ("related", "fund_account", "commitment"):
        op.drop_table(table)
    op.drop_index("entry_outcomes", "entry")
