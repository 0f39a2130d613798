"""The ledger: chained entries, sealed payloads, subjects and their keys, client keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NEVER_CHANGED = ("UPDATE", "DELETE")


def upgrade() -> None:
    """Create the tables, and make entries append-only in the database itself."""
    digest = sa.String(80)
    op.create_table(
        "entry",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("decided_at", sa.String(32), nullable=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("application_id", sa.String(64), nullable=False),
        sa.Column("decision_id", sa.String(40), nullable=False, unique=True),
        sa.Column("product", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("tier", sa.String(8), nullable=False),
        *(
            sa.Column(kind, digest, nullable=False)
            for kind in ("scorecard", "villages", "policy", "rates")
        ),
        sa.Column("subject_ref", sa.String(32), nullable=False, index=True),
        *(
            sa.Column(name, digest, nullable=False)
            for name in ("payload_digest", "previous_hash", "hash")
        ),
    )
    only_decisions = sa.text("kind = 'decision'")
    op.create_index(
        "entry_idempotency", "entry", ["client", "application_id"], unique=True,
        sqlite_where=only_decisions, postgresql_where=only_decisions,
    )  # fmt: skip
    op.create_index("entry_client_sequence", "entry", ["client", "sequence"])
    op.create_table(
        "payload",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "subject",
        sa.Column("pseudonym", sa.String(96), primary_key=True),
        sa.Column("subject_ref", sa.String(32), nullable=False, unique=True),
    )
    op.create_table(
        "subject_key",
        sa.Column("subject_ref", sa.String(32), primary_key=True),
        sa.Column("key_version", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "chain_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("hash", digest, nullable=False),
        sa.Column("mac", sa.String(96), nullable=False),
    )
    op.create_table(
        "keyring",
        sa.Column("purpose", sa.String(32), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("fingerprint", sa.String(96), nullable=False),
    )
    op.create_table(
        "client_key",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("secret_digest", digest, nullable=False),
        sa.Column("scopes", sa.String(128), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.String(32), nullable=False),
        sa.Column("revoked_at", sa.String(32)),
    )
    _forbid_changes()


def _forbid_changes() -> None:
    """A slip cannot change an entry; whoever drops the trigger is found by `ledger verify`."""
    if op.get_bind().dialect.name == "sqlite":
        for change in NEVER_CHANGED:
            op.execute(
                f"CREATE TRIGGER entry_no_{change.lower()} BEFORE {change} ON entry "
                "BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never changed'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION entry_never_changed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'entries of the ledger are never changed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER entry_never_changed BEFORE UPDATE OR DELETE ON entry "
        "FOR EACH ROW EXECUTE FUNCTION entry_never_changed()"
    )


def downgrade() -> None:
    """Drop everything: only ever for a ledger without entries."""
    if op.get_bind().execute(sa.text("SELECT 1 FROM entry LIMIT 1")).first():
        raise RuntimeError("The ledger has entries; it is never dropped. Restore a backup instead.")
    for table in (
        "client_key",
        "keyring",
        "chain_head",
        "subject_key",
        "subject",
        "payload",
        "entry",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION entry_never_changed()")
